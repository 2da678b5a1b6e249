"""The cases of the public checks of 4_scale.ipynb."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from autograder.hidden import many_wrongs
from autograder.hidden.edit_wrongs import CHANGE_TOLERANCE
from autograder.oracle import many
from keyhole.incontext import COPY, RETAIN, UPDATE

Made = tuple[dict[str, Any], dict[str, Tensor]]  # the record and the numbers of one case

KINDS = [UPDATE, RETAIN, COPY, RETAIN]
VALUES = [0.004, 0.008, 0.06, 0.17, 0.45, 0.7, 2.0, 5.0]  # three are below 0.1
CHANGE = {"origin": "weight", "tolerance": CHANGE_TOLERANCE, "sentence": "wrong_change"}


def cases() -> dict[str, list[Made]]:
    """{function: its cases}."""
    return {
        "demonstrations": list(_demonstrations()),
        "locality_loss": list(_losses()),
        "scaled_change": list(_scaled()),
        "memit_update": list(_updates()),
        "spread_residual": list(_shares()),
        "null_space_projector": list(_projectors()),
        "alphaedit_update": list(_projected()),
    }


def _case(function: str, name: str, what: str, given: dict[str, Any], **more: Any) -> Made:
    """One case: tensors are stored as numbers, other arguments in the record."""
    tensors = {key: value for key, value in given.items() if isinstance(value, Tensor)}
    live = more.pop("live", ())
    asked = given | {key: given[key].double().requires_grad_() for key in live}
    right = getattr(many, function)(**asked)
    if live:
        right.backward()
    record = {
        "id": name,
        "looks_at": "inputs" if name == "inputs" else "gradient" if live else "result",
        "what": what,
        "order": list(given),
        "values": {key: value for key, value in given.items() if key not in tensors},
        **more,
    }
    numbers = (
        {f"in/{key}": tensor for key, tensor in tensors.items()}
        | {"right": right.double()}
        | {f"wrong/{key}": each for key, each in getattr(many_wrongs, function)(**given).items()}
        | {f"grad/{key}": asked[key].grad for key in live}
    )
    return record, numbers


def _draw(seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _demonstrations() -> Iterator[Made]:
    draw = _draw(41)
    for name, count, spread in (
        ("nearest", 6, 0.0),
        ("lengths", 7, 1.5),
        ("few", 3, 0.0),
        ("inputs", 5, 0.0),
    ):
        key, keys = draw(8), draw(count, 8)
        keys = keys / keys.norm(dim=1, keepdim=True) * key.norm()
        given = {"key": key, "keys": (spread * draw(count)).exp()[:, None] * keys, "kinds": KINDS}
        yield _case(
            "demonstrations", name, "demonstrations", given, whole=True, sentence="wrong_rows"
        )


def _losses() -> Iterator[Made]:
    draw = _draw(42)
    for name, kl, replay in (
        ("whole", 0.6, 0.3),
        ("divergence", 4.0, 0.1),
        ("replay", 0.1, 3.0),
        ("gradient", 0.9, 0.7),
    ):
        before = (1.5 * draw(4, 15)).log_softmax(-1)
        given = {
            "target_nll": draw(()).abs() + 0.4,
            "log_probs": (before + 1.5 * draw(4, 15)).log_softmax(-1),
            "log_probs_before": before,
            "replay_nll": 0.5 + draw(3).abs() * torch.tensor([0.5, 1.0, 2.0]),
            "kl_weight": kl,
            "replay_weight": replay,
        }
        live = ("target_nll", "log_probs", "replay_nll") if name == "gradient" else ()
        yield _case(
            "locality_loss", name, "loss", given, live=live, log_probabilities=["log_probs"]
        )


def _scaled() -> Iterator[Made]:
    draw = _draw(43)
    for name, scale in (("half", 0.5), ("beyond", 1.4), ("negative", -0.6), ("inputs", 0.2)):
        given = {"before": draw(4, 7), "after": draw(4, 7), "scale": scale}
        yield _case("scaled_change", name, "scaled_weight", given, origin="before")


def _problem(draw: Any, d_out: int, d_in: int, count: int) -> dict[str, Any]:
    """As in the hidden tests: λ is as large as kᵀC⁻¹k, and the keys' mean is not zero."""
    mixed = torch.linspace(0.3, 1.2, d_in)[:, None] * torch.linalg.qr(draw(d_in, d_in)).Q
    seen = draw(8 * d_in, d_in) @ mixed + 1.5 * draw(d_in)
    moment, weight = seen.T @ seen / len(seen), draw(d_out, d_in)
    keys = draw(count, d_in) @ mixed + seen[:count]
    values = keys @ weight.T
    values = values + draw(count, d_out) * values.norm() / values.numel() ** 0.5
    inner = (keys * torch.linalg.solve(moment, keys.T).T).sum(1).mean()
    return {
        "weight": weight,
        "moment": moment,
        "keys": keys,
        "values": values,
        "weight_of_old": round(float(inner), 2),
    }


def _updates() -> Iterator[Made]:
    draw = _draw(44)
    for name, shape in (
        ("wide", (5, 9, 4)),
        ("tall", (10, 6, 3)),
        ("scale", (6, 8, 4)),
        ("shared_key", (4, 7, 3)),
        ("inputs", (3, 6, 2)),
    ):
        given = _problem(draw, *shape)
        if name == "scale":
            given["moment"] *= 100
        if name == "shared_key":
            given["keys"][1] = given["keys"][0]
        yield _case("memit_update", name, "new_weight", given, **CHANGE)


def _shares() -> Iterator[Made]:
    draw = _draw(45)
    for name, layer, layers in (
        ("middle", 7, [6, 7, 8]),
        ("last", 9, [6, 7, 8, 9]),
        ("gaps", 5, [1, 5, 7, 14]),
        ("inputs", 2, [2, 3]),
    ):
        given = {"targets": draw(4, 6), "states": draw(4, 6), "layer": layer, "layers": layers}
        yield _case("spread_residual", name, "share", given)


def _projectors() -> Iterator[Made]:
    draw = _draw(46)
    for name, values, threshold in (
        ("below", VALUES, 0.1),
        ("all", VALUES[:6], 0.9),
        ("none", VALUES[2:], 0.002),
        ("inputs", VALUES, 0.1),
    ):
        vectors = torch.linalg.qr(draw(len(values), len(values)).double()).Q
        moment = ((vectors * torch.tensor(values).double()) @ vectors.T).float()
        given = {"moment": (moment + moment.T) / 2, "threshold": threshold}
        yield _case("null_space_projector", name, "projector", given, tolerance=1e-3)


def _projected() -> Iterator[Made]:
    draw = _draw(47)
    for name, shape, earlier in (
        ("first", (5, 12, 3), 0),
        ("later", (6, 13, 3), 4),
        ("tall", (11, 8, 2), 2),
        ("inputs", (4, 9, 2), 1),
    ):
        problem = _problem(draw, *shape)
        width = shape[1]
        vectors = torch.linalg.eigh(problem["moment"].double()).eigenvectors
        vectors = vectors[:, : 2 * width // 3]
        size = float(problem["keys"].square().sum(1).mean())
        given = {
            "weight": problem["weight"],
            "projector": (vectors @ vectors.T).float(),
            "keys": problem["keys"],
            "values": problem["values"],
            "earlier_keys": problem["keys"].mean(0) + draw(earlier, width),
            "ridge": round(0.3 * size, 2),
        }
        yield _case("alphaedit_update", name, "new_weight", given, **CHANGE)
