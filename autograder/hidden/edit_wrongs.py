"""Wrong results for the functions of 3_edit.ipynb: {misconception: what it gives}, in float64.

A wrong result that happens to equal the right one is left out: of a decay of nothing, say, or of a
target of one token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from autograder.oracle import editing
from keyhole.checking.judging import told_apart
from keyhole.hooks import Seen, record
from keyhole.models import EditableModel

# float32 rounds Ŵ as a whole, and the change in it is smaller: on the real layer it is 4 % of W.
CHANGE_TOLERANCE = 1e-3
FEW_LAYERS, FEW_DIMENSIONS = 8, 100  # of a toy, for which more is tried
EPSILONS = [10.0**-power for power in range(1, 11)]  # of the identity that is added
CLIPS = (1, 5, 10, 50, 100, 500, 1000)

Results = dict[str, Tensor]


@dataclass(frozen=True)
class AskedKey:
    """The key that `subject_key` is asked for, and ways to take it elsewhere."""

    model: EditableModel
    layer: int
    prompt: str
    subject: str
    prefixes: Sequence[str]

    def keys(
        self,
        place: Callable[[str], int] | None = None,
        *,
        layer: int | None = None,
        side: str = "input",
        between: str = "",
    ) -> Tensor:
        """One key for each prefix: (prefixes, d_in).

        `place(text)` is the token where it is taken, the right one unless given. `side` says of
        which side of W, and `between` stands between prefix and prompt.
        """
        layer = self.layer if layer is None else layer
        keys = []
        for prefix in self.prefixes:
            text = prefix + between + self.prompt
            states = getattr(self._seen(text, layer), side)[0].double()
            position = self.span(text).stop - 1 if place is None else place(text)
            keys.append(states[min(max(position, 0), len(states) - 1)])
        return torch.stack(keys)

    def _seen(self, text: str, layer: int) -> Seen:
        """What went into W and came out of it in a run of `text`. Each text is run once."""
        if (text, layer) not in self._runs:
            with record(self.model.memory(layer)) as seen:
                self.model.run_below(torch.tensor(self.model.encode([text])), layer + 1)
            self._runs[text, layer] = seen
        return self._runs[text, layer]

    @cached_property
    def _runs(self) -> dict[tuple[str, int], Seen]:
        return {}

    def span(self, text: str, *occurrence: int) -> slice:
        """The subject's tokens in `text`."""
        return self.model.subject_slice(text, self.subject, *occurrence)

    def mean_over_subject(self) -> Tensor:
        """The mean over all tokens of the subject, then over the prefixes: (d_in,)."""
        width = self.span(self.prompt).stop - self.span(self.prompt).start
        each = [
            self.mean(lambda text, back=back: self.span(text).stop - 1 - back)
            for back in range(width)
        ]
        return torch.stack(each).mean(0)

    def mean(self, place: Callable[[str], int] | None = None, **options: object) -> Tensor:
        """The mean of `keys`: (d_in,)."""
        return self.keys(place, **options).mean(0)


def subject_key(
    model: EditableModel, layer: int, prompt: str, subject: str, prefixes: Sequence[str]
) -> Results:
    """Wrong keys: of another token, of another layer, or of other texts."""
    asked = AskedKey(model, layer, prompt, subject, prefixes)
    keys, span = asked.keys(), asked.span
    with record(model.memory(layer)) as seen:
        texts = [prefix + prompt for prefix in prefixes]
        model.run_below(model.batch(model.encode(texts)), layer + 1)
    wrongs = {
        "first_subject_token": asked.mean(lambda text: span(text).start),
        "last_prompt_token": asked.mean(lambda text: len(model.encode([text])[0]) - 1),
        "one_token_before": asked.mean(lambda text: span(text).stop - 2),
        "one_token_after": asked.mean(lambda text: span(text).stop),
        "place_in_bare_prompt": asked.mean(lambda text: span(prompt).stop - 1),
        "first_occurrence": asked.mean(lambda text: span(text, 0).stop - 1),
        "bare_prompt_only": keys[prefixes.index("")],
        "first_prefix_only": keys[0],
        "last_prefix_only": keys[-1],
        "sum_of_keys": keys.sum(0),
        "subject_averaged": asked.mean_over_subject(),
        "bare_prompt_left_out": keys[[i for i, prefix in enumerate(prefixes) if prefix]].mean(0),
        "padding_read": seen.input[:, -1].double().mean(0),
        "space_inserted": asked.mean(between=" "),
        "value_not_key": asked.mean(side="output"),
    }
    if not (prompt + "".join(prefixes)).isascii():
        wrongs |= _letters_for_tokens(asked)
    wrongs |= _other_layers(asked)
    if model.n_layers <= FEW_LAYERS:
        wrongs |= _other_tokens(asked)  # the last, so that a place with a name of its own keeps it
    return told_apart(wrongs, keys.mean(0))


def _other_tokens(asked: AskedKey) -> Results:
    """Keys further away than beside the right token, counted from there or from the text's end."""
    steps = [step for step in range(-9, 10) if abs(step) > 1]
    return {
        f"other_token:{step}": asked.mean(lambda text, step=step: asked.span(text).stop - 1 + step)
        for step in steps
    } | {
        f"other_token:{back} from the end": asked.mean(
            lambda text, back=back: len(asked.model.encode([text])[0]) - back
        )
        for back in range(2, 8)
    }


def _letters_for_tokens(asked: AskedKey) -> Results:
    """Keys at the token whose number is that of a letter, with or without those beyond ASCII."""
    subject = asked.subject

    def ascii_letters(text: str) -> int:
        before = text[: text.rindex(subject)] + subject
        return len(before.encode("ascii", "ignore"))

    return {
        "letters_for_tokens:one each": asked.mean(
            lambda text: text.rindex(subject) + len(subject) - 1
        ),
        "letters_for_tokens:left out": asked.mean(lambda text: ascii_letters(text) - 1),
    }


def _other_layers(asked: AskedKey) -> Results:
    """Keys of other layers: of all of them in a toy, elsewhere of those beside the right one."""
    layer, n_layers = asked.layer, asked.model.n_layers
    wrongs = {}
    if n_layers <= FEW_LAYERS:
        wrongs |= {
            f"other_layer:{other}": asked.mean(layer=other)
            for other in range(n_layers)
            if abs(other - layer) > 1
        }
    if layer > 0:
        wrongs["layer_below"] = asked.mean(layer=layer - 1)
    if layer + 1 < n_layers:
        wrongs["layer_above"] = asked.mean(layer=layer + 1)
    return wrongs


def second_moment(keys: Tensor) -> Results:
    """Wrong moments, scaled as a mean; the tests look at a sum too."""
    keys = keys.double()
    right, identity = editing.second_moment(keys), torch.eye(keys.shape[1], dtype=torch.float64)
    centred, unit = keys - keys.mean(0), keys / keys.norm(dim=1, keepdim=True)
    wrongs = {
        "moment_centred": editing.second_moment(centred),
        "moment_centred:N - 1": centred.T @ centred / (len(keys) - 1),
        "divided_by_one_less": keys.T @ keys / max(len(keys) - 1, 1),
        "moment_of_rows": keys @ keys.T,
        "moment_diagonal": right.diag().diag(),
        "moment_of_mean": torch.outer(keys.mean(0), keys.mean(0)),
        "keys_normalised": editing.second_moment(unit),
        "moment_inverted": torch.linalg.pinv(right, hermitian=True),
    }
    if keys.shape[1] <= FEW_DIMENSIONS:
        for epsilon in EPSILONS:  # added to the mean, or to the sum
            wrongs |= {
                f"identity_added:{epsilon}": right + epsilon * identity,
                f"identity_added:{epsilon} to the sum": right + epsilon / len(keys) * identity,
            }
    rounded = keys.half()
    rounded = (rounded.T @ rounded).double() / len(keys)
    if rounded.isfinite().all():
        wrongs["half_precision"] = rounded
    return told_apart(wrongs, right)


def value_objective(
    target_log_probs: Tensor,
    kl_log_probs: Tensor,
    kl_log_probs_before: Tensor,
    delta: Tensor,
    value_before: Tensor,
    kl_weight: float,
    decay: float,
) -> Results:
    """Wrong objectives: one of the three terms is wrong, the others are right."""
    targets, now = target_log_probs.double(), kl_log_probs.double()
    before = kl_log_probs_before.double()
    size, square = delta.double().norm(), value_before.double().square().sum()
    nll, kl, small = -targets.mean(), (now.exp() * (now - before)).sum(), size / square
    right = nll + kl_weight * kl + decay * small
    rest = right - nll
    no_kl, no_decay = right - kl_weight * kl, right - decay * small
    wrongs = {
        "sum_over_tokens": rest - targets.sum(-1).mean(),
        "sum_over_tokens:and rows": rest - targets.sum(),
        "nll_missing_minus": rest - nll,
        "probability_before_log": rest - targets.exp().mean().log(),
        "kl_reversed": no_kl + kl_weight * (before.exp() * (before - now)).sum(),
        "kl_without_exp": no_kl + kl_weight * (now * (now - before)).sum(),
        "kl_without_exp:before": no_kl + kl_weight * (before * (before - now)).sum(),
        "kl_without_exp:at all": no_kl + kl_weight * (now - before).sum(),
        "kl_symmetric": right + kl_weight * (before.exp() * (before - now)).sum(),
        "kl_symmetric:mean": no_kl + kl_weight * (kl + (before.exp() * (before - now)).sum()) / 2,
        "decay_of_absolutes": no_decay + decay * delta.double().abs().sum() / square,
        "log_of_log": torch.tensor(torch.inf, dtype=torch.float64),  # or NaN
        "kl_missing": no_kl,
        "kl_not_weighted": no_kl + kl,
        "kl_mean": no_kl + kl_weight * kl / len(now),
        "decay_missing": no_decay,
        "decay_not_weighted": no_decay + small,
        "decay_of_square": no_decay + decay * size.square() / square,
        "decay_by_length": no_decay + decay * size / square.sqrt(),
        "decay_undivided": no_decay + decay * size,
    }
    return told_apart(wrongs, right)


def rank_one_update(
    weight: Tensor, moment: Tensor, key: Tensor, value: Tensor, tolerance: float = CHANGE_TOLERANCE
) -> Results:
    """Wrong Ŵ: another direction, another divisor, another residual, or not Ŵ at all.

    Only those that differ from the right one by more than `tolerance` of the change.
    """
    weight, moment, key, value = weight.double(), moment.double(), key.double(), value.double()
    residual, direction = value - weight @ key, torch.linalg.solve(moment, key)

    def along(vector: Tensor, left: Tensor = residual, divisor: Tensor | int | None = None):
        return weight + torch.outer(left, vector) / (vector @ key if divisor is None else divisor)

    right = along(direction)
    wrongs = {
        "key_normalised": _of_unit_key(weight, moment, key, value),
        **{f"half_a_solve:{i}": along(half) for i, half in enumerate(_half_solved(moment, key))},
        "residual_added": along(direction, left=value + weight @ key),
        "moment_omitted": along(key),
        "moment_not_inverted": along(moment @ key),
        "moment_twice": along(torch.linalg.solve(moment, direction)),
        "moment_diagonal_used": along(key / moment.diag()),
        "division_missing": along(direction, divisor=1),
        "divided_by_key_square": along(direction, divisor=key @ key),
        "divided_by_direction_square": along(direction, divisor=direction @ direction),
        "value_not_residual": along(direction, left=value),
        "residual_reversed": along(direction, left=-residual),
        "only_the_change": right - weight,
        "weight_left_out": along(direction, left=value) - weight,
        "change_transposed": weight.T + torch.outer(direction, residual) / (direction @ key),
        "nothing_changed": weight,
        "update_doubled": along(direction, left=2 * residual),
        "half_precision": weight + (right - weight).half().double(),
    }
    if len(key) <= FEW_DIMENSIONS:
        identity = torch.eye(len(key), dtype=torch.float64)
        for epsilon in EPSILONS:
            solved = torch.linalg.solve(moment + epsilon * identity, key)
            wrongs[f"identity_added_to_c:{epsilon}"] = along(solved)
        for most in CLIPS:
            clipped = torch.linalg.solve(moment, key.clamp(-most, most))
            wrongs[f"key_clipped:{most}"] = along(clipped)
    return told_apart(wrongs, right, weight, tolerance)


def _half_solved(moment: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """What one of the two solves with a Cholesky factor gives: L⁻¹ k* and L⁻ᵀ k*."""
    factor, column = torch.linalg.cholesky_ex(moment).L, key[:, None]
    return (
        torch.linalg.solve_triangular(factor, column, upper=False).squeeze(1),
        torch.linalg.solve_triangular(factor.T, column, upper=True).squeeze(1),
    )


def _of_unit_key(weight: Tensor, moment: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Ŵ of a k* of length 1."""
    key = key / key.norm()
    direction = torch.linalg.solve(moment, key)
    return weight + torch.outer(value - weight @ key, direction) / (direction @ key)


def write_edit(kind: str, before: Tensor, right: Tensor) -> Results:
    """Wrong weights of a module of that kind; `before` and `right` as it stores them."""
    wrongs = {
        "nothing_written": before,
        "added_not_written": before + right,
        "transpose_missing" if kind == "conv1d" else "transpose_added": right.T,
    }
    return told_apart(wrongs, right)
