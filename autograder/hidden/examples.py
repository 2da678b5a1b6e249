"""Tiny calls whose results a student can check by hand, for a mistake that nothing else explains.

They hold no hidden input: each is small, the same for everybody, and shown with what came back and
what should have.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from autograder.hidden.case import Trial
from autograder.oracle import editing, many, measuring, tracing
from autograder.sandbox import StudentFailed
from keyhole.checking.judging import scalar
from keyhole.messages import Remark, word

SECONDS = 0.6  # of a call; there are three at most
CLOSE = 1e-3
HALF = [-0.6931472, -0.6931472]  # logarithms of 1/2 and 1/2

# Function -> the arguments of its calls, the most telling first. Lists stand for tensors.
CALLS: Mapping[str, tuple[dict[str, Any], ...]] = MappingProxyType(
    {
        "sequence_nll": (
            {"logits": [[0.0, 0.0, 0.0, 0.0]] * 2, "target_ids": [1, 3]},
            {"logits": [[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]], "target_ids": [0, 2]},
            {"logits": [[2.0, 0.0], [0.0, 0.0], [0.0, 1.0]], "target_ids": [1, 1, 0]},
        ),
        "efficacy": (
            {"nll_true": [1.0, 2.0], "nll_new": [2.0, 1.0]},
            {"nll_true": [5.0, 9.0], "nll_new": [4.0, 1.0]},
            {"nll_true": [0.2, 7.0, 7.0], "nll_new": [0.1, 8.0, 7.0]},
        ),
        "neighborhood": (
            {"nll_true": [1.0, 2.0], "nll_new": [2.0, 1.0]},
            {"nll_true": [4.0, 1.0], "nll_new": [5.0, 9.0]},
            {"nll_true": [0.1, 8.0, 7.0], "nll_new": [0.2, 7.0, 7.0]},
        ),
        "edit_score": (
            {"efficacy": 1.0, "paraphrase": 1.0, "neighborhood": 1.0},
            {"efficacy": 1.0, "paraphrase": 0.5, "neighborhood": 0.5},
            {"efficacy": 0.5, "paraphrase": 1.0, "neighborhood": 0.0},
        ),
        "corrupt": (
            {
                "embeddings": [[1.0, 1.0], [2.0, 2.0]],
                "subject": slice(1, 2),
                "noise": [[[10.0, 20.0]]],
            },
            {
                "embeddings": [[1.0], [2.0], [3.0]],
                "subject": slice(0, 2),
                "noise": [[[10.0], [20.0]], [[30.0], [40.0]]],
            },
        ),
        "restore": (
            {"hidden": [[[1.0], [2.0], [3.0]]], "clean": [[10.0], [20.0], [30.0]], "position": 1},
            {"hidden": [[[1.0], [2.0]], [[3.0], [4.0]]], "clean": [[10.0], [20.0]], "position": 0},
        ),
        "indirect_effect": (
            {"restored": [0.5, 0.7], "corrupted": [0.1, 0.1]},
            {"restored": [0.1, 0.3], "corrupted": [0.5, 0.4]},
            {"restored": [0.2], "corrupted": [0.2]},
        ),
        "second_moment": ({"keys": [[1.0, 2.0], [3.0, 4.0]]}, {"keys": [[1.0, 0.0], [-1.0, 2.0]]}),
        "value_objective": (
            {
                "target_log_probs": [[-1.0, -3.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": HALF,
                "delta": [3.0, 4.0],
                "value_before": [0.0, 2.0],
                "kl_weight": 1.0,
                "decay": 0.0,
            },
            {
                "target_log_probs": [[-1.0], [-2.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": HALF,
                "delta": [3.0, 4.0],
                "value_before": [0.0, 2.0],
                "kl_weight": 0.0,
                "decay": 1.0,
            },
            {
                "target_log_probs": [[-1.0], [-2.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": [-0.2231436, -1.6094379],
                "delta": [0.0, 0.0],
                "value_before": [0.0, 2.0],
                "kl_weight": 1.0,
                "decay": 0.0,
            },
        ),
        "rank_one_update": (
            {
                "weight": [[1.0, 0.0], [0.0, 1.0]],
                "moment": [[1.0, 0.0], [0.0, 1.0]],
                "key": [1.0, 1.0],
                "value": [3.0, 1.0],
            },
            {
                "weight": [[1.0, 0.0]],
                "moment": [[2.0, 0.0], [0.0, 1.0]],
                "key": [2.0, 1.0],
                "value": [5.0],
            },
        ),
        "scaled_change": (
            {"before": [1.0, 2.0], "after": [3.0, 2.0], "scale": 0.5},
            {"before": [1.0, 2.0], "after": [3.0, 2.0], "scale": 2.0},
        ),
        "spread_residual": (
            {"targets": [[6.0]], "states": [[2.0]], "layer": 3, "layers": [3, 4]},
            {"targets": [[6.0]], "states": [[2.0]], "layer": 4, "layers": [3, 4]},
        ),
        "null_space_projector": (
            {"moment": [[1.0, 0.0], [0.0, 4.0]], "threshold": 2.0},
            {"moment": [[2.0, 1.0], [1.0, 2.0]], "threshold": 2.0},
        ),
        "locality_loss": (
            {
                "target_nll": 2.0,
                "log_probs": [HALF],
                "log_probs_before": [HALF],
                "replay_nll": [1.0, 3.0],
                "kl_weight": 1.0,
                "replay_weight": 0.5,
            },
            {
                "target_nll": 2.0,
                "log_probs": [HALF, HALF],
                "log_probs_before": [[-0.2231436, -1.6094379], HALF],
                "replay_nll": [1.0, 3.0],
                "kl_weight": 1.0,
                "replay_weight": 0.0,
            },
        ),
    }
)
# Function -> symptom -> (some of its tests that passed, and some that failed).
STATES, WINDOWS = ("state_llama", "state_gpt2"), ("mlp", "attention")
PATTERNS: Mapping[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = MappingProxyType(
    {
        "trace": {
            "only_windows": (STATES, WINDOWS),
            "only_states": (WINDOWS, STATES),
            "only_edges": (WINDOWS, ("window_start", "window_end")),
            "only_even": ((*WINDOWS, "window_start", "window_end"), ("window_even",)),
            "only_order": ((*STATES, *WINDOWS), ("order",)),
        }
    }
)
ORACLES = (measuring, tracing, editing, many)
NUMBERS = {"target_nll"}  # a number that is a tensor


def example(trial: Trial) -> Remark | None:
    """What is wrong as a whole, or the first call that comes out wrong; None where none does.

    At most three calls. What the function raises says nothing here.
    """
    if code := _pattern(trial):
        return Remark(code, {}, "SYMPTOMS")
    for arguments in CALLS.get(trial.function, ()):
        try:
            got = _called(trial, arguments)
        except StudentFailed as failure:
            if failure.kind == "timeout":
                return None
            continue
        right = _right(trial.function, arguments)
        if not _same(trial.function, got, right, arguments):
            call = f"{trial.function}({', '.join(map(_shown, arguments.values()))})"
            details = {"call": call, "got": _shown(got), "right": _shown(right)}
            return Remark("example", details, "SYMPTOMS")
    return None


def _pattern(trial: Trial) -> str | None:
    """Which kinds of call are right and which are wrong, where that is plain."""

    def all_passed(cases: tuple[str, ...], passed: bool) -> bool:
        verdicts = [trial.verdict(f"{trial.function}.{case}") for case in cases]
        return all(verdict and verdict.passed == passed for verdict in verdicts)

    for code, (right, wrong) in PATTERNS.get(trial.function, {}).items():
        if all_passed(right, True) and all_passed(wrong, False):
            return code
    return None


def _tensor(name: str, value: Any) -> Any:
    listed = isinstance(value, list) and name != "layers" or name in NUMBERS
    return torch.tensor(value) if listed else value


def _right(function: str, arguments: dict[str, Any]) -> Tensor:
    made: Callable = next(getattr(each, function) for each in ORACLES if hasattr(each, function))
    given = {name: _tensor(name, value) for name, value in arguments.items()}
    return torch.as_tensor(made(**given)).double()


def _called(trial: Trial, arguments: dict[str, Any]) -> Tensor:
    given = {name: _tensor(name, value) for name, value in arguments.items()}
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    values = {
        name: {"slice": [value.start, value.stop]} if isinstance(value, slice) else value
        for name, value in given.items()
        if name not in tensors
    }
    options = {"order": list(given), "values": values}
    return trial.call(tensors=tensors, options=options, seconds=SECONDS).tensors["result"]


def _same(function: str, got: Tensor, right: Tensor, arguments: dict[str, Any]) -> bool:
    got = got.double() if right.dim() else scalar(got).double()
    scales = (1, len(arguments["keys"])) if function == "second_moment" else (1,)
    return got.shape == right.shape and any(
        bool(
            (got - scale * right).abs().max() <= CLOSE * scale * max(1.0, float(right.abs().max()))
        )
        for scale in scales
    )


def _shown(value: Any) -> str | Remark:
    """A value as one would type it, with four digits."""
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop})"
    if isinstance(value, Tensor):
        if value.numel() > 16:
            return word("of_shape", shape=tuple(value.shape))
        value = value.double().tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(str, map(_shown, value)))}]"
    return f"{value:.4g}"
