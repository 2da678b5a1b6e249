"""Hidden tests of 4_scale.ipynb: in context, locality, a scaled change, many facts, a null space.

Every input is drawn from the course secret, and every expected result comes from the oracle. No
shape is square but those of C and P.
"""

from functools import lru_cache, partial
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from autograder import secret as secrets
from autograder.hidden import many_wrongs as wrongs
from autograder.hidden.case import HiddenTest, NotebookTests, Trial, asked_again, expected_number
from autograder.hidden.edit_wrongs import CHANGE_TOLERANCE
from autograder.hidden.examples import example
from autograder.oracle import many
from keyhole.checking import looks
from keyhole.checking.judging import Verdict
from keyhole.checking.looks import Expected, Observation
from keyhole.checking.symptoms import Given
from keyhole.incontext import COPY, RETAIN, UPDATE
from keyhole.messages import word
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_text

Asked = dict[str, Any]  # the arguments of a call, by name and in their order

# A projector is as exact as the gap between eigenvalues is wide, and C comes in float32.
PROJECTOR_TOLERANCE = 1e-3


def _of(module: ModuleType, trial: Trial, asked: Asked) -> Any:
    """What the function of that name in `module` gives."""
    return getattr(module, trial.function)(**asked)


def _observed(trial: Trial, asked: Asked, after: bool = False) -> Observation:
    """What the student's function gives. Tensors travel as such, all other arguments as JSON."""
    tensors = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    options = {
        "order": list(asked),
        "values": {name: value for name, value in asked.items() if name not in tensors},
        "after": after,
    }
    return trial.call(tensors=tensors, options=options).tensors


def _expected(trial: Trial, asked: Asked, what: str, **more: Any) -> Expected:
    """The oracle's result, and the wrong ones."""
    right = _of(many, trial, asked)
    given = Given(trial.function, asked)
    mistaken = partial(_of, wrongs, trial, asked)
    return Expected(right.double(), mistaken, word(what), given=given, **more)


def _change(trial: Trial, asked: Asked) -> Expected:
    """A Ŵ, by its change of W."""
    return _expected(
        trial,
        asked,
        "new_weight",
        origin=asked["weight"].double(),
        tolerance=CHANGE_TOLERANCE,
        sentence="wrong_change",
    )


def _right(trial: Trial, asked: Asked, expected: Any) -> Verdict:
    return looks.right_result(_observed(trial, asked), expected(trial, asked))


def _kept(trial: Trial, asked: Asked, expected: Any) -> Verdict:
    """Whether the call left its arguments as they were."""
    sent = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    return looks.arguments_kept(_observed(trial, asked, after=True), expected(trial, asked), sent)


def _again(trial: Trial, asked: Asked, others: Asked, expected: Any) -> Verdict:
    """Whether the result is right, and then those where one argument is another."""
    first = expected(trial, asked)
    return asked_again(
        looks.right_result(_observed(trial, asked), first),
        first,
        asked,
        others,
        lambda given: (_observed(trial, given), expected(trial, given)),
    )


def _drawing(trial: Trial, name: str = "inputs") -> Any:
    generator = trial.generator(name)
    return lambda *shape: torch.randn(*shape, generator=generator)


# ---------------------------------------------------------------- demonstrations

_rows = partial(_expected, what="demonstrations", sentence="wrong_rows", whole=True)
KINDS = [RETAIN, UPDATE, COPY, RETAIN, UPDATE]


def _examples(
    trial: Trial, count: int, kinds: list[int], spread: float = 0.0, name: str = "inputs"
) -> Asked:
    """A new fact's key and those of others. `spread`: how much their lengths differ."""
    draw = _drawing(trial, name)
    key = draw(12)
    # Between the key and its opposite, so that no two are equally like it, and in no plain order.
    turned = int(torch.randint(1, count - 1, (1,), generator=trial.generator(name, "order")))
    cosines = torch.linspace(-0.8, 0.9, count).roll(turned)
    across = draw(count, 12)
    across -= torch.outer(across @ key / (key @ key), key)
    across /= across.norm(dim=1, keepdim=True)
    others = torch.outer(cosines, key / key.norm())
    others += (1 - cosines.square()).sqrt()[:, None] * across
    lengths = (spread * draw(count)).exp()
    return {"key": key, "keys": lengths[:, None] * key.norm() * others, "kinds": kinds}


def examples_nearest(trial: Trial) -> Verdict:
    """Then for another fact, other examples and other kinds."""
    asked, other = _examples(trial, 9, KINDS), _examples(trial, 9, KINDS[::-1], name="again")
    return _again(trial, asked, other, _rows)


def examples_lengths(trial: Trial) -> Verdict:
    return _right(trial, _examples(trial, 11, KINDS, spread=1.5), _rows)


def examples_few(trial: Trial) -> Verdict:
    return _right(trial, _examples(trial, 3, KINDS), _rows)


def examples_inputs(trial: Trial) -> Verdict:
    return _kept(trial, _examples(trial, 7, KINDS), _rows)


# ---------------------------------------------------------------- locality_loss


def _losses(
    trial: Trial, kl: float, replay: float, prompts: int = 5, name: str = "inputs"
) -> Asked:
    draw = _drawing(trial, name)
    before = (1.5 * draw(prompts, 23)).log_softmax(-1)
    return {
        "target_nll": draw(()).abs() + 0.3,
        "log_probs": (before + 1.5 * draw(prompts, 23)).log_softmax(-1),
        "log_probs_before": before,
        "replay_nll": 0.5 + draw(4).abs() * torch.tensor([0.5, 1.0, 2.0, 3.0]),
        "kl_weight": kl,
        "replay_weight": replay,
    }


def _loss(trial: Trial, asked: Asked) -> Expected:
    mistaken = partial(_of, wrongs, trial, asked)
    right, given = _of(many, trial, asked), Given(arguments=asked)
    return expected_number(trial, right, mistaken, word("loss"), given)


def loss_whole(trial: Trial) -> Verdict:
    """Then for other numbers of each kind."""
    return _again(trial, _losses(trial, 0.7, 0.4), _losses(trial, 1.9, 0.2, name="again"), _loss)


def loss_divergence(trial: Trial) -> Verdict:
    return _right(trial, _losses(trial, 3.0, 0.0, prompts=3), _loss)


def loss_replay(trial: Trial) -> Verdict:
    return _right(trial, _losses(trial, 0.0, 2.5), _loss)


def loss_gradient(trial: Trial) -> Verdict:
    """The derivatives by what depends on the weights; the arguments stay as they were."""
    asked = _losses(trial, 0.8, 0.6)
    names = ("target_nll", "log_probs", "replay_nll")
    tensors = {name: value for name, value in asked.items() if isinstance(value, Tensor)}
    options = {
        "order": list(asked),
        "values": {name: value for name, value in asked.items() if name not in tensors},
        "after": True,
        "grad": list(names),
    }
    observation = trial.call(tensors=tensors, options=options).tensors
    live = {name: asked[name].double().requires_grad_() for name in names}
    many.locality_loss(**{**asked, **live}).backward()
    expected = _loss(trial, asked)
    verdict = looks.gradient(
        observation,
        expected,
        {name: tensor.grad for name, tensor in live.items()},
        log_probabilities={"log_probs": asked["log_probs"]},
    )
    if not verdict.passed:
        return verdict
    kept = looks.arguments_kept(observation, expected, tensors)
    return verdict if kept.passed else kept


# ---------------------------------------------------------------- scaled_change


def _weights(trial: Trial, scale: float, shape: tuple[int, ...] = (5, 8), name: str = "inputs"):
    draw = _drawing(trial, name)
    return {"before": draw(*shape), "after": draw(*shape), "scale": scale}


def _scaled(trial: Trial, asked: Asked) -> Expected:
    # A change of nothing has no size.
    origin = asked["before"].double() if asked["scale"] else 0
    return _expected(trial, asked, "scaled_weight", origin=origin)


def scaled_part(trial: Trial) -> Verdict:
    """Then for other weights, and another scale."""
    return _again(trial, _weights(trial, 0.3), _weights(trial, 0.8, name="again"), _scaled)


def scaled_beyond(trial: Trial) -> Verdict:
    return _right(trial, _weights(trial, 1.7, (11,)), _scaled)


def scaled_negative(trial: Trial) -> Verdict:
    return _right(trial, _weights(trial, -0.4, (3, 4, 2)), _scaled)


def scaled_inputs(trial: Trial) -> Verdict:
    """The caller's weights stay as they were, also where the scale is 0 or 1."""
    for scale in (0.6, 0.0, 1.0):
        verdict = _kept(trial, _weights(trial, scale), _scaled)
        if not verdict.passed:
            break
    return verdict


# ---------------------------------------------------------------- many facts


def _problem(trial: Trial, d_out: int, d_in: int, count: int, name: str = "inputs") -> Asked:
    """W, C, keys (N, d_in) and values (N, d_out) in float32.

    C is that of keys whose mean is large, so that it is far from their covariance. The new keys are
    like those. λ is as large as kᵀC⁻¹k, so that it matters where it stands.
    """
    draw = _drawing(trial, name)
    mixed = torch.linspace(0.3, 1.2, d_in)[:, None] * torch.linalg.qr(draw(d_in, d_in)).Q
    seen = draw(8 * d_in, d_in) @ mixed + 1.5 * draw(d_in)
    moment = (seen.T @ seen / len(seen)).double()
    weight, keys = draw(d_out, d_in), draw(count, d_in) @ mixed + seen[:count]
    values = keys @ weight.T
    values = values + draw(count, d_out) * values.norm() / values.numel() ** 0.5
    inner = (keys.double() * torch.linalg.solve(moment, keys.double().T).T).sum(1)
    return {
        "weight": weight,
        "moment": moment.float(),
        "keys": keys,
        "values": values,
        "weight_of_old": round(float(inner.mean()), 3),
    }


def memit_wide(trial: Trial) -> Verdict:
    """Then for another W, other keys, values and weights."""
    asked, other = (_problem(trial, 6, 14, 5, name) for name in ("inputs", "again"))
    return _again(trial, asked, other, _change)


def memit_tall(trial: Trial) -> Verdict:
    return _right(trial, _problem(trial, 13, 8, 4), _change)


def memit_scale(trial: Trial) -> Verdict:
    """A C thirty times as large: here its scale counts, other than in ROME."""
    asked = _problem(trial, 7, 12, 6)
    return _right(trial, asked | {"moment": 30 * asked["moment"]}, _change)


def memit_one(trial: Trial) -> Verdict:
    """One fact and little weight of the old: nearly ROME."""
    asked = _problem(trial, 9, 15, 1)
    return _right(trial, asked | {"weight_of_old": 0.2 * asked["weight_of_old"]}, _change)


def memit_many(trial: Trial) -> Verdict:
    """More facts than a key has numbers: no W meets them all."""
    return _right(trial, _problem(trial, 7, 9, 25), _change)


def memit_shared_key(trial: Trial) -> Verdict:
    """Two facts with one key: their values are averaged."""
    asked = _problem(trial, 6, 11, 4)
    asked["keys"][1] = asked["keys"][0]
    return _right(trial, asked, _change)


def memit_inputs(trial: Trial) -> Verdict:
    return _kept(trial, _problem(trial, 5, 10, 3), _change)


@lru_cache(maxsize=1)
def _real_problem(secret: bytes, test_id: str, model: Any) -> tuple[Asked, Tensor]:
    """W and C of layer 5, keys of the text and values of others, and the right Ŵ: once a batch."""
    text, generator = load_text(), secrets.generator(secret, test_id, "rows")
    rows = text[torch.randperm(len(text), generator=generator)[:2]]
    keys = next(keys_over(model, DEFAULT_LAYER, rows))
    chosen = keys[8 + torch.randperm(len(keys) - 8, generator=generator)[:24]]
    weight = model.weight(DEFAULT_LAYER).detach().contiguous()
    asked = {
        "weight": weight,
        "moment": load_moment(),
        "keys": chosen[:12].contiguous(),
        "values": (chosen[12:] @ weight.T).contiguous(),
        "weight_of_old": 1000.0,
    }
    return asked, many.memit_update(**asked)


def memit_real(trial: Trial) -> Verdict:
    asked, new = _real_problem(trial.secret, trial.test_id, trial.model())
    expected = Expected(
        new,
        partial(_of, wrongs, trial, asked),
        word("new_weight"),
        asked["weight"].double(),
        CHANGE_TOLERANCE,
        "wrong_change",
        given=Given("memit_update", asked),
    )
    return looks.right_result(_observed(trial, asked), expected)


# ---------------------------------------------------------------- spread_residual

_share = partial(_expected, what="share")


def _states(trial: Trial, layer: int, layers: list[int], name: str = "inputs") -> Asked:
    draw = _drawing(trial, name)
    return {"targets": draw(5, 9), "states": draw(5, 9), "layer": layer, "layers": layers}


def share_middle(trial: Trial) -> Verdict:
    """Then for other states, another layer and other layers."""
    asked = _states(trial, 4, [3, 4, 5])
    other = _states(trial, 3, [2, 3, 4, 5, 6], "again")
    return _again(trial, asked, other, _share)


def share_last(trial: Trial) -> Verdict:
    return _right(trial, _states(trial, 8, [5, 6, 7, 8]), _share)


def share_gaps(trial: Trial) -> Verdict:
    """Layers with gaps between them: their number counts, not how far up they are."""
    return _right(trial, _states(trial, 6, [2, 6, 9, 17]), _share)


def share_inputs(trial: Trial) -> Verdict:
    """The caller's tensors stay as they were, also where all of the rest is taken."""
    for layer, layers in ((3, [3, 4, 5]), (5, [5])):
        verdict = _kept(trial, _states(trial, layer, layers), _share)
        if not verdict.passed:
            break
    return verdict


# ---------------------------------------------------------------- a null space

_projector = partial(_expected, what="projector", tolerance=PROJECTOR_TOLERANCE)


def _spectrum(trial: Trial, values: list[float], threshold: float, name: str = "inputs") -> Asked:
    """C with these eigenvalues, in directions that are drawn."""
    vectors = torch.linalg.qr(_drawing(trial, name)(len(values), len(values)).double()).Q
    moment = ((vectors * torch.tensor(values).double()) @ vectors.T).float()
    return {"moment": (moment + moment.T) / 2, "threshold": threshold}


# Below 0.1 are three; below its square two, below its root four, and below 0.1 of the largest five.
VALUES = [0.002, 0.006, 0.05, 0.15, 0.36, 0.6, 0.9, 1.5, 4.0]
# Below 0.78 are four; below its square three, below its root five, below 0.78 of the largest six.
# The first seven add up to less than 0.78 of the sum.
EVEN_VALUES = [0.05, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]


def projector_below(trial: Trial) -> Verdict:
    """Then for another C, and another threshold."""
    asked = _spectrum(trial, VALUES, 0.1)
    other = _spectrum(trial, EVEN_VALUES, 0.78, "again")
    return _again(trial, asked, other, _projector)


def projector_all(trial: Trial) -> Verdict:
    """Every eigenvalue lies below the threshold: P is the identity."""
    return _right(trial, _spectrum(trial, VALUES[:7], 1.2), _projector)


def projector_none(trial: Trial) -> Verdict:
    """No eigenvalue does: P is zero, and no edit is possible."""
    asked = _spectrum(trial, VALUES[2:], 0.001)
    return _right(trial, asked, _projector)


def projector_inputs(trial: Trial) -> Verdict:
    return _kept(trial, _spectrum(trial, VALUES, 0.1), _projector)


# ---------------------------------------------------------------- alphaedit_update


def _projected(
    trial: Trial, d_out: int, d_in: int, count: int, earlier: int, name: str = "inputs"
) -> Asked:
    """A problem whose P leaves out a third of the directions."""
    problem, draw = _problem(trial, d_out, d_in, count, name), _drawing(trial, name + " more")
    vectors = torch.linalg.eigh(problem["moment"].double()).eigenvectors[:, : 2 * d_in // 3]
    size = float(problem["keys"].square().sum(1).mean())
    return {
        "weight": problem["weight"],
        "projector": (vectors @ vectors.T).float(),
        "keys": problem["keys"],
        "values": problem["values"],
        "earlier_keys": problem["keys"].mean(0) + draw(earlier, d_in),
        "ridge": round(0.3 * size, 3),
    }


def alphaedit_first(trial: Trial) -> Verdict:
    """No earlier facts."""
    return _right(trial, _projected(trial, 6, 15, 4, 0), _change)


def alphaedit_later(trial: Trial) -> Verdict:
    """Then for another W, P, other keys and values, and another ridge."""
    asked, other = (_projected(trial, 7, 18, 4, 6, name) for name in ("inputs", "again"))
    return _again(trial, asked, other, _change)


def alphaedit_tall(trial: Trial) -> Verdict:
    return _right(trial, _projected(trial, 14, 9, 3, 2), _change)


def alphaedit_inputs(trial: Trial) -> Verdict:
    return _kept(trial, _projected(trial, 5, 12, 3, 2), _change)


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    challenge=True,
    example=example,
    cells={
        "test_demonstrations": (
            HiddenTest("demonstrations.nearest", 0.25, examples_nearest),
            HiddenTest("demonstrations.lengths", 0.25, examples_lengths),
            HiddenTest("demonstrations.few", 0.25, examples_few),
            HiddenTest("demonstrations.inputs", 0.25, examples_inputs),
        ),
        "test_locality_loss": (
            HiddenTest("locality_loss.whole", 0.25, loss_whole),
            HiddenTest("locality_loss.divergence", 0.25, loss_divergence),
            HiddenTest("locality_loss.replay", 0.25, loss_replay),
            HiddenTest("locality_loss.gradient", 0.25, loss_gradient),
        ),
        "test_scaled_change": (
            HiddenTest("scaled_change.part", 0.25, scaled_part),
            HiddenTest("scaled_change.beyond", 0.25, scaled_beyond),
            HiddenTest("scaled_change.negative", 0.25, scaled_negative),
            HiddenTest("scaled_change.inputs", 0.25, scaled_inputs),
        ),
        "test_memit_update": (
            HiddenTest("memit_update.wide", 0.25, memit_wide),
            HiddenTest("memit_update.tall", 0.25, memit_tall),
            HiddenTest("memit_update.scale", 0.25, memit_scale),
            HiddenTest("memit_update.one", 0.25, memit_one),
            HiddenTest("memit_update.many", 0.25, memit_many),
            HiddenTest("memit_update.shared_key", 0.25, memit_shared_key),
            HiddenTest("memit_update.inputs", 0.25, memit_inputs),
            HiddenTest("memit_update.real", 0.25, memit_real, seconds=20),
        ),
        "test_spread_residual": (
            HiddenTest("spread_residual.middle", 0.25, share_middle),
            HiddenTest("spread_residual.last", 0.25, share_last),
            HiddenTest("spread_residual.gaps", 0.25, share_gaps),
            HiddenTest("spread_residual.inputs", 0.25, share_inputs),
        ),
        "test_null_space_projector": (
            HiddenTest("null_space_projector.below", 0.25, projector_below),
            HiddenTest("null_space_projector.all", 0.25, projector_all),
            HiddenTest("null_space_projector.none", 0.25, projector_none),
            HiddenTest("null_space_projector.inputs", 0.25, projector_inputs),
        ),
        "test_alphaedit_update": (
            HiddenTest("alphaedit_update.first", 0.25, alphaedit_first),
            HiddenTest("alphaedit_update.later", 0.25, alphaedit_later),
            HiddenTest("alphaedit_update.tall", 0.25, alphaedit_tall),
            HiddenTest("alphaedit_update.inputs", 0.25, alphaedit_inputs),
        ),
    },
)
