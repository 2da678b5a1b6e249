"""The cases of the public checks of 5_learn_to_edit.ipynb."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from autograder.hidden import learned_wrongs
from autograder.oracle import learned

Made = tuple[dict[str, Any], dict[str, Tensor]]  # the record and the numbers of one case


def cases() -> dict[str, list[Made]]:
    """{function: its cases}."""
    return {
        "gradient_from_factors": list(_gradients()),
        "editor_parameters": list(_counts()),
        "rate_update": list(_rates()),
        "transform_factors": list(_factors()),
        "low_rank_output": list(_outputs()),
        "editor_loss": list(_losses()),
    }


def _case(function: str, name: str, what: str, given: dict[str, Any], **more: Any) -> Made:
    """One case: tensors are stored as numbers, other arguments in the record."""
    tensors = {key: value for key, value in given.items() if isinstance(value, Tensor)}
    live = more.pop("live", ())
    asked = given | {key: given[key].double().requires_grad_() for key in live}
    right = getattr(learned, function)(**asked)
    derivatives = torch.autograd.grad(right.sum(), [asked[key] for key in live]) if live else ()
    record = {
        "id": name,
        "looks_at": "inputs" if name == "inputs" else "gradient" if live else "result",
        "what": what,
        "order": list(given),
        "values": {key: value for key, value in given.items() if key not in tensors},
        **more,
    }
    mistaken = getattr(learned_wrongs, function)(**given)
    numbers = (
        {f"in/{key}": tensor for key, tensor in tensors.items()}
        | {"right": right.double()}
        | {f"wrong/{key}": each for key, each in mistaken.items()}
        | {f"grad/{key}": each for key, each in zip(live, derivatives)}
    )
    return record, numbers


def _draw(seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator)


def _gradients() -> Iterator[Made]:
    draw = _draw(51)
    for name, (texts, tokens, d_out, d_in) in {
        "texts": (3, 5, 4, 7),
        "square": (2, 4, 6, 6),
        "one_token": (1, 1, 5, 8),
        "inputs": (2, 3, 4, 6),
    }.items():
        given = {
            "inputs": draw(texts, tokens, d_in) + 0.6 * draw(d_in),
            "output_grads": draw(texts, tokens, d_out) + 0.6 * draw(d_out),
        }
        yield _case("gradient_from_factors", name, "gradient", given)


def _counts() -> Iterator[Made]:
    for kind, d_out, d_in, rank in (
        ("full", 576, 1536, 64),
        ("diagonal", 576, 1536, 64),
        ("rows", 576, 1536, 64),
        ("factors", 576, 1536, 64),
    ):
        given = {"kind": kind, "d_out": d_out, "d_in": d_in, "rank": rank}
        yield _case("editor_parameters", kind, "count", given)


def _rates() -> Iterator[Made]:
    draw = _draw(52)
    for name, shape, by_row in (
        ("rows", (5, 8), True),
        ("weights", (6, 4), False),
        ("square", (7, 7), True),
        ("trained", (3, 6), True),
    ):
        rates = (0.5 * draw(*(shape[:1] if by_row else shape))).exp()
        given = {"gradient": draw(*shape), "rates": 0.3 * rates}
        live = ("rates",) if name == "trained" else ()
        yield _case("rate_update", name, "change", given, live=live)


def _factors() -> Iterator[Made]:
    draw = _draw(53)
    for name, tokens, shift in (
        ("tokens", 5, 0.5),
        ("one_token", 1, 0.5),
        ("far", 4, 4.0),
        ("trained", 3, 0.5),
    ):
        given = {
            "inputs": draw(tokens, 7),
            "output_grads": 0.4 * draw(tokens, 4),
            "mean": shift * draw(11),
            "scale": (0.5 * draw(11)).exp(),
            "down": draw(3, 11) / 11**0.5,
            "up": draw(11, 3) / 3**0.5,
        }
        live = ("down", "up") if name == "trained" else ()
        yield _case("transform_factors", name, "factors", given, live=live)


def _outputs() -> Iterator[Made]:
    draw = _draw(54)
    for name, shape, tokens, rate in (
        ("texts", (2, 4), 3, 0.6),
        ("one_token", (3,), 1, 0.2),
        ("trained", (2, 2), 4, 1.7),
        ("inputs", (3,), 2, 0.4),
    ):
        given = {
            "outputs": draw(*shape, 5),
            "keys": draw(*shape, 8) / 8**0.5,
            "inputs": draw(tokens, 8) + 0.5 * draw(8),
            "output_grads": draw(tokens, 5) + 0.5 * draw(5),
            "rate": torch.tensor(rate) if name == "trained" else rate,
        }
        live = ("inputs", "output_grads", "rate") if name == "trained" else ()
        yield _case("low_rank_output", name, "outputs", given, live=live)


def _losses() -> Iterator[Made]:
    draw = _draw(55)
    for name, weight in (("whole", 0.5), ("edit", 0.0), ("divergence", 5.0), ("trained", 0.9)):
        wanted = torch.full((2, 6), -100)
        wanted[0, 3], wanted[1, 2:5] = 4, torch.tensor([7, 2, 11])
        before = (1.5 * draw(3, 13)).log_softmax(-1)
        given = {
            "log_probs": (1.5 * draw(2, 6, 13)).log_softmax(-1),
            "wanted": wanted,
            "other_log_probs": (before + 1.5 * draw(3, 13)).log_softmax(-1),
            "other_log_probs_before": before,
            "kl_weight": weight,
        }
        live = ("log_probs", "other_log_probs") if name == "trained" else ()
        yield _case("editor_loss", name, "loss", given, live=live, log_probabilities=list(live))
