"""What the graded functions of 3_edit.ipynb give when something was misunderstood: misconception -> result, in float64.

A wrong result that happens to equal the right one (a decay of nothing, one target token) is left out.
"""

import torch

from autograder.oracle import editing
from keyhole.hooks import record
from keyhole.checking.judging import told_apart

CHANGE_TOLERANCE = 1e-3  # Ŵ is rounded to float32 as a whole, the change in it is smaller; on the real layer it is 4 % of W
FEW_LAYERS, FEW_DIMENSIONS = 8, 100  # of a toy: there more is tried
EPSILONS = [10.0**-power for power in range(1, 11)]  # of the identity, as one adds it
CLIPS = (1, 5, 10, 50, 100, 500, 1000)


def subject_key(model, layer, prompt, subject, prefixes):
    """Wrong keys: of another token, another layer, other texts."""

    def keys_at(layer, place=None, side="input", between=""):
        """One key for each prefix; `place(text, prefix)` is a token, the right one unless given."""
        found = []
        for prefix in prefixes:
            text = prefix + between + prompt
            with record(model.memory(layer)) as seen:
                model.run_below(torch.tensor(model.encode([text])), layer + 1)
            keys = getattr(seen, side)[0].double()
            position = (
                model.subject_slice(text, subject).stop - 1
                if place is None
                else place(text, prefix)
            )
            found.append(keys[min(max(position, 0), len(keys) - 1)])
        return torch.stack(found)

    keys = keys_at(layer)
    with record(model.memory(layer)) as seen:
        model.run_below(
            model.batch(model.encode([prefix + prompt for prefix in prefixes])), layer + 1
        )
    wrongs = {
        "first_subject_token": (
            keys_at(layer, lambda text, _: model.subject_slice(text, subject).start).mean(0)
        ),
        "last_prompt_token": (
            keys_at(layer, lambda text, _: len(model.encode([text])[0]) - 1).mean(0)
        ),
        "one_token_before": (
            keys_at(layer, lambda text, _: model.subject_slice(text, subject).stop - 2).mean(0)
        ),
        "one_token_after": (
            keys_at(layer, lambda text, _: model.subject_slice(text, subject).stop).mean(0)
        ),
        "place_in_bare_prompt": (
            keys_at(layer, lambda text, _: model.subject_slice(prompt, subject).stop - 1).mean(0)
        ),
        "first_occurrence": (
            keys_at(layer, lambda text, _: model.subject_slice(text, subject, 0).stop - 1).mean(0)
        ),
        "bare_prompt_only": keys[prefixes.index("")],
        "first_prefix_only": keys[0],
        "last_prefix_only": keys[-1],
        "sum_of_keys": keys.sum(0),
        "padding_read": seen.input[:, -1].double().mean(0),
        "space_inserted": keys_at(layer, between=" ").mean(0),
        "value_not_key": keys_at(layer, side="output").mean(0),
    }
    if not (prompt + "".join(prefixes)).isascii():
        wrongs["letters_for_tokens:one each"] = keys_at(
            layer, lambda text, _: text.rindex(subject) + len(subject) - 1
        ).mean(0)
        wrongs["letters_for_tokens:left out"] = keys_at(
            layer, lambda text, _: len(_ascii(text[: text.rindex(subject)] + subject)) - 1
        ).mean(0)
    if model.n_layers <= FEW_LAYERS:
        wrongs |= {
            f"other_layer:{other}": keys_at(other).mean(0)
            for other in range(model.n_layers)
            if abs(other - layer) > 1
        }
    if layer > 0:
        wrongs["layer_below"] = keys_at(layer - 1).mean(0)
    if layer + 1 < model.n_layers:
        wrongs["layer_above"] = keys_at(layer + 1).mean(0)
    return told_apart(wrongs, keys.mean(0))


def _ascii(text):
    return text.encode("ascii", "ignore")


def second_moment(keys):
    """Wrong moments, scaled as a mean; the tests look at a sum too."""
    keys = keys.double()
    right, centred, unit = (
        editing.second_moment(keys),
        keys - keys.mean(0),
        keys / keys.norm(dim=1, keepdim=True),
    )
    wrongs = {
        "moment_centred": editing.second_moment(centred),
        "moment_centred:N - 1": centred.T @ centred / (len(keys) - 1),
        "moment_of_rows": keys @ keys.T,
        "moment_diagonal": right.diag().diag(),
        "moment_of_mean": torch.outer(keys.mean(0), keys.mean(0)),
        "keys_normalised": editing.second_moment(unit),
        "moment_inverted": torch.linalg.pinv(right, hermitian=True),
    }
    identity = torch.eye(keys.shape[1], dtype=torch.float64)
    for epsilon in (
        EPSILONS if keys.shape[1] <= FEW_DIMENSIONS else ()
    ):  # to the mean, and to the sum
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
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    """Wrong objectives: one term of the three wrong, the others right."""
    targets, now, before = (
        target_log_probs.double(),
        kl_log_probs.double(),
        kl_log_probs_before.double(),
    )
    size, square = delta.double().norm(), value_before.double().square().sum()
    nll, kl, small = -targets.mean(), (now.exp() * (now - before)).sum(), size / square
    right = nll + kl_weight * kl + decay * small
    rest = right - nll
    wrongs = {
        "sum_over_tokens": rest - targets.sum(-1).mean(),
        "sum_over_tokens:and rows": rest - targets.sum(),
        "nll_missing_minus": rest - nll,
        "probability_before_log": rest - targets.exp().mean().log(),
        "kl_reversed": right - kl_weight * kl + kl_weight * (before.exp() * (before - now)).sum(),
        "log_of_log": torch.tensor(torch.inf, dtype=torch.float64),  # or NaN
        "kl_missing": right - kl_weight * kl,
        "kl_not_weighted": right - kl_weight * kl + kl,
        "kl_mean": right - kl_weight * kl + kl_weight * kl / len(now),
        "decay_missing": right - decay * small,
        "decay_not_weighted": right - decay * small + small,
        "decay_of_square": right - decay * small + decay * size.square() / square,
        "decay_by_length": right - decay * small + decay * size / square.sqrt(),
        "decay_undivided": right - decay * small + decay * size,
    }
    return told_apart(wrongs, right)


def rank_one_update(weight, moment, key, value, tolerance=CHANGE_TOLERANCE):
    """Wrong Ŵ, by more than `tolerance` of the change: another direction, another divisor, another residual, or not Ŵ at all."""
    weight, moment, key, value = weight.double(), moment.double(), key.double(), value.double()
    residual = value - weight @ key
    direction = torch.linalg.solve(moment, key)

    def along(vector, left=residual, divisor=None):
        return weight + torch.outer(left, vector) / (vector @ key if divisor is None else divisor)

    right = along(direction)
    wrongs = {
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
        wrongs |= {
            f"identity_added_to_c:{epsilon}": along(
                torch.linalg.solve(moment + epsilon * identity, key)
            )
            for epsilon in EPSILONS
        }
        wrongs |= {
            f"key_clipped:{most}": along(torch.linalg.solve(moment, key.clamp(-most, most)))
            for most in CLIPS
        }
    return told_apart(wrongs, right, weight, tolerance)


def write_edit(kind, before, right):
    """Wrong weights, as the module stores them; `before` and `right` are stored the same way."""
    wrongs = {
        "nothing_written": before,
        "added_not_written": before + right,
        "transpose_missing" if kind == "conv1d" else "transpose_added": right.T,
    }
    return told_apart(wrongs, right)
