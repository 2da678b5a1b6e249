"""Hidden tests of 5_learn_to_edit.ipynb: gradients and their factors, learned editors, their loss.

Every input is drawn from the course secret, and every expected result comes from the oracle. No
shape is square but where it has to be.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from autograder.hidden import learned_wrongs as wrongs
from autograder.hidden.case import HiddenTest, NotebookTests, Trial, asked_again, expected_number
from autograder.hidden.examples import example
from autograder.oracle import learned
from keyhole.checking import looks
from keyhole.checking.judging import Verdict
from keyhole.checking.looks import Expected, Observation
from keyhole.messages import word

Asked = dict[str, Any]  # the arguments of a call, by name and in their order
IGNORED = -100  # the place of a token that nobody asks for, as in torch
WIDE = 200_000  # a matrix of so many rows and columns takes 160 GB


def _observed(trial: Trial, asked: Asked, **more: Any) -> Observation:
    """What the student's function gives. Tensors travel as such, all other arguments as JSON."""
    tensors = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    options = {
        "order": list(asked),
        "values": {name: value for name, value in asked.items() if name not in tensors},
        **more,
    }
    return trial.call(tensors=tensors, options=options).tensors


def _expected(trial: Trial, asked: Asked, what: str) -> Expected:
    """The oracle's result, and the wrong ones."""
    right = getattr(learned, trial.function)(**asked)
    mistaken = partial(getattr(wrongs, trial.function), **asked)
    if right.dim() == 0:
        return expected_number(trial, right, mistaken, word(what))
    return Expected(right, mistaken, word(what))


def _right(trial: Trial, asked: Asked, what: str) -> Verdict:
    return looks.right_result(_observed(trial, asked), _expected(trial, asked, what))


def _kept(trial: Trial, asked: Asked, what: str) -> Verdict:
    """Whether the call left its arguments as they were."""
    sent = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    observation = _observed(trial, asked, after=True)
    return looks.arguments_kept(observation, _expected(trial, asked, what), sent)


def _trained(
    trial: Trial, asked: Asked, what: str, live: tuple[str, ...], log_p: tuple[str, ...] = ()
) -> Verdict:
    """The derivatives by what is trained, or depends on it; the arguments stay as they were."""
    sent = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    observation = _observed(trial, asked, after=True, grad=list(live))
    leaves = {name: asked[name].double().requires_grad_() for name in live}
    with torch.enable_grad():
        right = getattr(learned, trial.function)(**{**asked, **leaves}).sum()
    derivatives = dict(zip(live, torch.autograd.grad(right, list(leaves.values()))))
    expected = _expected(trial, asked, what)
    verdict = looks.gradient(
        observation, expected, derivatives, {name: asked[name] for name in log_p}
    )
    if not verdict.passed:
        return verdict
    kept = looks.arguments_kept(observation, expected, sent)
    return verdict if kept.passed else kept


def _again(trial: Trial, asked: Asked, others: Asked, what: str) -> Verdict:
    """Whether the result is right, and then those where one argument is another."""
    first = _expected(trial, asked, what)
    return asked_again(
        looks.right_result(_observed(trial, asked), first),
        first,
        asked,
        others,
        lambda given: (_observed(trial, given), _expected(trial, given, what)),
    )


def _drawing(trial: Trial, name: str = "inputs") -> Callable[..., Tensor]:
    generator = trial.generator(name)
    return lambda *shape: torch.randn(shape, generator=generator)


# ---------------------------------------------------------------- gradient_from_factors


def _factors(
    trial: Trial, texts: int, tokens: int, d_out: int, d_in: int, name: str = "inputs"
) -> Asked:
    """Factors whose sums over tokens are large, so that each token counts."""
    draw = _drawing(trial, name)
    return {
        "inputs": draw(texts, tokens, d_in) + 0.7 * draw(d_in),
        "output_grads": draw(texts, tokens, d_out) + 0.7 * draw(d_out),
    }


def gradient_texts(trial: Trial) -> Verdict:
    """Then for other inputs, and other derivatives."""
    asked, other = (_factors(trial, 4, 6, 5, 9, name) for name in ("inputs", "again"))
    return _again(trial, asked, other, "gradient")


def gradient_square(trial: Trial) -> Verdict:
    """As many inputs as outputs: no shape tells which of them the rows are."""
    return _right(trial, _factors(trial, 2, 5, 7, 7), "gradient")


def gradient_one_token(trial: Trial) -> Verdict:
    """One text of one token: a gradient of rank one."""
    return _right(trial, _factors(trial, 1, 1, 8, 6), "gradient")


def gradient_inputs(trial: Trial) -> Verdict:
    return _kept(trial, _factors(trial, 3, 4, 6, 10), "gradient")


# ---------------------------------------------------------------- editor_parameters


def _counted(trial: Trial, kind: str) -> Verdict:
    """For two weights: a wide one and a tall one, and two ranks."""
    generator = trial.generator("sizes")
    small, large, rank = (
        int(torch.randint(*span, (1,), generator=generator))
        for span in ((300, 500), (900, 1500), (20, 60))
    )
    asked = {"kind": kind, "d_out": small, "d_in": large, "rank": rank}
    others = {"d_out": large + 7, "d_in": small - 5}
    if kind == "factors":
        others["rank"] = rank + 9
    return _again(trial, asked, others, "count")


# ---------------------------------------------------------------- rate_update


def _rates(trial: Trial, d_out: int, d_in: int, by_row: bool, name: str = "inputs") -> Asked:
    """Training may make a rate negative; here the first one is."""
    draw = _drawing(trial, name)
    shape = (d_out,) if by_row else (d_out, d_in)
    rates = 0.4 * draw(*shape).exp()
    rates[0] *= -1
    return {"gradient": draw(d_out, d_in), "rates": rates}


def rates_of_rows(trial: Trial) -> Verdict:
    """Then for another gradient, and other rates."""
    asked, other = (_rates(trial, 6, 11, True, name) for name in ("inputs", "again"))
    return _again(trial, asked, other, "change")


def rates_of_weights(trial: Trial) -> Verdict:
    return _right(trial, _rates(trial, 8, 5, False), "change")


def rates_square(trial: Trial) -> Verdict:
    """As many rows as columns: torch says nothing where the rates go to the columns."""
    return _right(trial, _rates(trial, 9, 9, True), "change")


def rates_trained(trial: Trial) -> Verdict:
    asked = _rates(trial, 4, 7, True)
    return _trained(trial, asked, "change", ("rates",))


# ---------------------------------------------------------------- transform_factors


def _tokens(
    trial: Trial, tokens: int, shift: float = 0.5, rank: int = 4, name: str = "inputs"
) -> Asked:
    """Factors of one text; `mean` and `scale` are not those of these tokens."""
    draw = _drawing(trial, name)
    d_out, d_in = 5, 8
    width = d_out + d_in
    return {
        "inputs": draw(tokens, d_in),
        "output_grads": 0.3 * draw(tokens, d_out),
        "mean": shift * draw(width),
        "scale": (0.5 * draw(width)).exp(),
        "down": draw(rank, width) / width**0.5,
        "up": draw(width, rank) / rank**0.5,
    }


def factors_tokens(trial: Trial) -> Verdict:
    """Then for other arguments, one at a time."""
    asked, other = (_tokens(trial, 6, name=name) for name in ("inputs", "again"))
    return _again(trial, asked, other, "factors")


def factors_one_token(trial: Trial) -> Verdict:
    """One token has no spread of its own. Of 24 units some are below zero, whatever is drawn."""
    return _right(trial, _tokens(trial, 1, rank=24), "factors")


def factors_far(trial: Trial) -> Verdict:
    """Means far from zero."""
    return _right(trial, _tokens(trial, 5, shift=3.0, rank=6), "factors")


def factors_trained(trial: Trial) -> Verdict:
    return _trained(trial, _tokens(trial, 4), "factors", ("down", "up"))


# ---------------------------------------------------------------- low_rank_output


def _layer(trial: Trial, shape: tuple[int, ...], tokens: int, d_out: int, d_in: int) -> Asked:
    """A layer's outputs for keys of that shape, and the factors of a change."""
    draw = _drawing(trial)
    return {
        "outputs": draw(*shape, d_out),
        "keys": draw(*shape, d_in) / d_in**0.5,
        "inputs": draw(tokens, d_in) + 0.5 * draw(d_in),
        "output_grads": draw(tokens, d_out) + 0.5 * draw(d_out),
        "rate": 0.37,
    }


def output_texts(trial: Trial) -> Verdict:
    """Then for other arguments."""
    asked = _layer(trial, (3, 5), 4, 6, 9)
    draw = _drawing(trial, "again")
    other = {name: draw(*value.shape) for name, value in asked.items() if name != "rate"}
    return _again(trial, asked, other | {"rate": 1.6}, "outputs")


def output_one_token(trial: Trial) -> Verdict:
    """The keys of one text, and a change of rank one."""
    return _right(trial, _layer(trial, (4,), 1, 7, 5), "outputs")


def output_wide(trial: Trial) -> Verdict:
    """A layer whose weight fits into no memory that a submission has."""
    return _right(trial, _layer(trial, (1, 2), 3, WIDE, WIDE), "outputs")


def output_trained(trial: Trial) -> Verdict:
    """MEND learns the rate, too."""
    rate = 0.5 * (0.3 * _drawing(trial, "rate")()).exp()
    asked = _layer(trial, (2, 3), 3, 5, 8) | {"rate": rate}
    live = ("inputs", "output_grads", "outputs", "keys", "rate")
    return _trained(trial, asked, "outputs", live)


# ---------------------------------------------------------------- editor_loss


def _losses(trial: Trial, kl_weight: float, name: str = "inputs") -> Asked:
    """Three texts, of which 1, 3 and 2 tokens are wanted, and not always the last ones."""
    draw = _drawing(trial, name)
    wanted = torch.full((3, 7), IGNORED)
    ids = torch.randint(1, 18, (6,), generator=trial.generator(name, "ids"))
    ids[1] = 0  # an ordinary token
    rows, columns = torch.tensor([0, 1, 1, 1, 2, 2]), torch.tensor([4, 3, 4, 5, 4, 5])
    wanted[rows, columns] = ids
    before = (1.5 * draw(4, 19)).log_softmax(-1)
    return {
        "log_probs": (1.5 * draw(3, 7, 19)).log_softmax(-1),
        "wanted": wanted,
        "other_log_probs": (before + 1.5 * draw(4, 19)).log_softmax(-1),
        "other_log_probs_before": before,
        "kl_weight": kl_weight,
    }


def loss_whole(trial: Trial) -> Verdict:
    """Then for other numbers of each kind."""
    return _again(trial, _losses(trial, 0.8), _losses(trial, 1.7, "again"), "loss")


def loss_edit(trial: Trial) -> Verdict:
    """No locality: what is left is the NLL of the wanted tokens."""
    return _right(trial, _losses(trial, 0.0), "loss")


def loss_divergence(trial: Trial) -> Verdict:
    return _right(trial, _losses(trial, 6.0), "loss")


def loss_trained(trial: Trial) -> Verdict:
    live = ("log_probs", "other_log_probs")
    return _trained(trial, _losses(trial, 0.6), "loss", live, live)


TESTS = NotebookTests(
    cells={
        "test_editor_loss": (
            HiddenTest("editor_loss.whole", 0.25, loss_whole),
            HiddenTest("editor_loss.edit", 0.25, loss_edit),
            HiddenTest("editor_loss.divergence", 0.25, loss_divergence),
            HiddenTest("editor_loss.trained", 0.25, loss_trained),
        ),
        "test_editor_parameters": tuple(
            HiddenTest(f"editor_parameters.{kind}", 0.25, partial(_counted, kind=kind))
            for kind in ("full", "diagonal", "rows", "factors")
        ),
        "test_rate_update": (
            HiddenTest("rate_update.rows", 0.25, rates_of_rows),
            HiddenTest("rate_update.weights", 0.25, rates_of_weights),
            HiddenTest("rate_update.square", 0.25, rates_square),
            HiddenTest("rate_update.trained", 0.25, rates_trained),
        ),
        "test_gradient_from_factors": (
            HiddenTest("gradient_from_factors.texts", 0.5, gradient_texts),
            HiddenTest("gradient_from_factors.square", 0.5, gradient_square),
            HiddenTest("gradient_from_factors.one_token", 0.5, gradient_one_token),
            HiddenTest("gradient_from_factors.inputs", 0.5, gradient_inputs),
        ),
        "test_transform_factors": (
            HiddenTest("transform_factors.tokens", 0.5, factors_tokens),
            HiddenTest("transform_factors.one_token", 0.5, factors_one_token),
            HiddenTest("transform_factors.far", 0.5, factors_far),
            HiddenTest("transform_factors.trained", 0.5, factors_trained),
        ),
        "test_low_rank_output": (
            HiddenTest("low_rank_output.texts", 0.25, output_texts),
            HiddenTest("low_rank_output.one_token", 0.25, output_one_token),
            HiddenTest("low_rank_output.wide", 0.25, output_wide),
            HiddenTest("low_rank_output.trained", 0.25, output_trained),
        ),
    },
    example=example,
)
