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
from autograder.oracle import editing, learned, many, measuring, tracing
from autograder.sandbox import StudentFailed
from keyhole.checking.judging import distance, scalar
from keyhole.messages import Remark, word
from keyhole.toy import toy_model

SECONDS = 0.6  # of a call; there are three at most
CLOSE = 1e-3
HALF = [-0.6931472, -0.6931472]  # logarithms of 1/2 and 1/2
NEARLY_ONE = [-0.2231436, -1.6094379]  # logarithms of 0.8 and 0.2
THIRDS = [-1.0986123] * 3  # of 1/3, three times
UNEVEN = [-0.6931472, -1.3862944, -1.3862944]  # of 1/2, 1/4 and 1/4
IDENTITY = [[1.0, 0.0], [0.0, 1.0]]
# What functions of a model are asked: keyhole.toy_model() as a student makes it, which has three
# layers. Its tokens are letters, and the subject's are those from 3 to 5.
TOY: dict[str, Any] = {}
SENTENCE = {"prompt": "So Ann spoke", "subject": "Ann"}
LAST_TOKEN, LAST_LAYER = 11, 2
MAP = {**SENTENCE, "noise": [[[2.0] * 12] * 3]}
KEY = {"layer": 1, **SENTENCE}
MEMIT = {  # two facts that do not touch one another
    "weight": [[0.0, 0.0]],
    "moment": IDENTITY,
    "keys": [[1.0, 0.0], [0.0, 2.0]],
    "values": [[3.0], [5.0]],
    "weight_of_old": 1.0,
}
ALPHA = {
    "weight": [[0.0, 0.0]],
    "projector": [[1.0, 0.0], [0.0, 0.0]],
    "keys": [[1.0, 1.0]],
    "values": [[2.0]],
    "earlier_keys": [[0.0, 3.0]],
    "ridge": 1.0,
}
OUTPUT = {
    "outputs": [[1.0, 1.0]],
    "keys": [[1.0, 2.0]],
    "inputs": [[1.0, 0.0], [0.0, 1.0]],
    "output_grads": [[1.0, 0.0], [0.0, 3.0]],
    "rate": 1.0,
}

# Function -> the arguments of its calls, the most telling first. Lists stand for tensors. The last
# one has several of everything, and no factor is 1, else a mistake could give the right result.
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
            {"efficacy": 1.0, "paraphrase": 0.5, "neighborhood": 0.125},
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
        "second_moment": (
            {"keys": [[1.0, 2.0], [3.0, 4.0]]},
            {"keys": [[1.0, 0.0], [-1.0, 2.0]]},
            {"keys": [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]},
        ),
        "value_objective": (
            {
                "target_log_probs": [[-1.0, -3.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": HALF,
                "delta": [3.0, 4.0],
                "value_before": [1.0, 2.0],
                "kl_weight": 1.0,
                "decay": 0.0,
            },
            {
                "target_log_probs": [[-1.0], [-2.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": HALF,
                "delta": [3.0, 4.0],
                "value_before": [1.0, 2.0],
                "kl_weight": 0.0,
                "decay": 1.0,
            },
            {
                "target_log_probs": [[-1.0], [-2.0]],
                "kl_log_probs": HALF,
                "kl_log_probs_before": NEARLY_ONE,
                "delta": [0.0, 0.0],
                "value_before": [1.0, 2.0],
                "kl_weight": 1.0,
                "decay": 0.0,
            },
        ),
        # No noise; a state that decides all; one that the noise does not reach.
        "trace": (
            {**MAP, "noise": [[[0.0] * 12] * 3], "positions": [4], "layers": [1]},
            {**MAP, "positions": [LAST_TOKEN], "layers": [LAST_LAYER]},
            {**MAP, "positions": [0], "layers": [1]},
        ),
        "subject_key": (
            {**KEY, "prefixes": [""]},
            {**KEY, "prefixes": ["Yes. "]},
            {**KEY, "prefixes": ["", "Yes. ", "Well, then: "]},
        ),
        "rank_one_update": (
            {"weight": IDENTITY, "moment": IDENTITY, "key": [1.0, 1.0], "value": [3.0, 1.0]},
            {
                "weight": [[1.0, 0.0]],
                "moment": [[2.0, 0.0], [0.0, 1.0]],
                "key": [2.0, 1.0],
                "value": [5.0],
            },
            {
                "weight": [[1.0, 0.0, 2.0], [0.0, 3.0, 1.0]],
                "moment": [[2.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 1.0]],
                "key": [1.0, 2.0, 0.0],
                "value": [6.0, 1.0],
            },
        ),
        "demonstrations": (
            {"key": [1.0, 0.0], "keys": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], "kinds": [5, 6, 7]},
            {"key": [1.0, 0.0], "keys": [[1.0, 0.0], [9.0, 9.0]], "kinds": [5]},
            {
                "key": [1.0, 0.0],
                "keys": [[2.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]],
                "kinds": [5, 6, 7, 8, 9],
            },
        ),
        "memit_update": (
            MEMIT,
            {**MEMIT, "weight_of_old": 2.0},
            {
                "weight": [[1.0, 0.0]],
                "moment": [[2.0, 1.0], [1.0, 2.0]],
                "keys": [[1.0, 0.0], [1.0, 1.0]],
                "values": [[3.0], [5.0]],
                "weight_of_old": 2.0,
            },
        ),
        "alphaedit_update": (
            ALPHA,
            {**ALPHA, "ridge": 2.0},
            {
                "weight": [[1.0, 0.0]],
                "projector": [[0.5, 0.5], [0.5, 0.5]],
                "keys": [[1.0, 0.0], [1.0, 2.0]],
                "values": [[3.0], [5.0]],
                "earlier_keys": [[0.0, 3.0], [1.0, 0.0]],
                "ridge": 2.0,
            },
        ),
        "editor_loss": (
            {
                "log_probs": [[HALF, HALF]],
                "wanted": [[1, -100]],
                "other_log_probs": [HALF],
                "other_log_probs_before": [HALF],
                "kl_weight": 1.0,
            },
            {
                "log_probs": [[HALF], [NEARLY_ONE]],
                "wanted": [[0], [1]],
                "other_log_probs": [HALF],
                "other_log_probs_before": [NEARLY_ONE],
                "kl_weight": 1.0,
            },
            {
                "log_probs": [[HALF, NEARLY_ONE, HALF]],
                "wanted": [[0, 1, -100]],
                "other_log_probs": [HALF, HALF, NEARLY_ONE],
                "other_log_probs_before": [NEARLY_ONE, HALF, HALF],
                "kl_weight": 0.5,
            },
        ),
        "editor_parameters": (
            {"kind": "full", "d_out": 2, "d_in": 3, "rank": 1},
            {"kind": "rows", "d_out": 2, "d_in": 3, "rank": 1},
            {"kind": "factors", "d_out": 2, "d_in": 3, "rank": 1},
        ),
        "rate_update": (
            {"gradient": [[1.0, 2.0], [3.0, 4.0]], "rates": [1.0, 10.0]},
            {"gradient": [[1.0, 2.0]], "rates": [[1.0, 10.0]]},
            {"gradient": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "rates": [10.0, -2.0]},
        ),
        "gradient_from_factors": (
            {"inputs": [[[1.0, 2.0]]], "output_grads": [[[3.0, 5.0]]]},
            {"inputs": [[[1.0], [2.0]], [[3.0], [4.0]]], "output_grads": [[[1.0]] * 2] * 2},
            {
                "inputs": [[[1.0, 0.0], [2.0, 1.0]], [[0.0, 3.0], [1.0, 1.0]]],
                "output_grads": [[[1.0], [2.0]], [[4.0], [8.0]]],
            },
        ),
        "transform_factors": (
            {
                "inputs": [[3.0]],
                "output_grads": [[5.0]],
                "mean": [1.0, 1.0],
                "scale": [2.0, 4.0],
                "down": [[0.0, 0.0]],
                "up": [[1.0], [1.0]],
            },
            {
                "inputs": [[1.0]],
                "output_grads": [[2.0]],
                "mean": [0.0, 0.0],
                "scale": [1.0, 1.0],
                "down": [[1.0, 1.0], [-1.0, 0.0]],
                "up": [[1.0, 1.0], [0.0, 1.0]],
            },
        ),
        "low_rank_output": (
            OUTPUT,
            {**OUTPUT, "rate": 2.0},
            {
                "outputs": [[1.0], [2.0]],
                "keys": [[1.0, 2.0], [0.0, 1.0]],
                "inputs": [[1.0, 1.0], [2.0, 0.0], [0.0, 3.0]],
                "output_grads": [[1.0], [3.0], [-1.0]],
                "rate": 0.5,
            },
        ),
        "scaled_change": (
            {"before": [1.0, 2.0], "after": [3.0, 2.0], "scale": 0.5},
            {"before": [1.0, 2.0], "after": [3.0, 2.0], "scale": 2.0},
        ),
        "spread_residual": (
            {"targets": [[5.0]], "states": [[2.0]], "layer": 3, "layers": [3, 4]},
            {"targets": [[5.0]], "states": [[2.0]], "layer": 4, "layers": [3, 4]},
            {"targets": [[8.0]], "states": [[2.0]], "layer": 4, "layers": [3, 4, 5]},
        ),
        "null_space_projector": (
            {"moment": [[1.0, 0.0], [0.0, 4.0]], "threshold": 2.0},
            {"moment": [[2.0, 1.0], [1.0, 2.0]], "threshold": 2.0},
            {"moment": [[3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 9.0]], "threshold": 5.0},
        ),
        "locality_loss": (
            {
                "target_nll": 2.0,
                "log_probs": [HALF],
                "log_probs_before": [HALF],
                "replay_nll": [1.0, 3.0],
                "kl_weight": 2.0,
                "replay_weight": 0.5,
            },
            {
                "target_nll": 2.0,
                "log_probs": [THIRDS, THIRDS],
                "log_probs_before": [UNEVEN, THIRDS],
                "replay_nll": [1.0, 3.0],
                "kl_weight": 1.0,
                "replay_weight": 0.0,
            },
            {
                "target_nll": 2.0,
                "log_probs": [HALF, NEARLY_ONE, HALF],
                "log_probs_before": [NEARLY_ONE, HALF, HALF],
                "replay_nll": [1.0, 3.0],
                "kl_weight": 2.0,
                "replay_weight": 0.5,
            },
        ),
    }
)
# Function -> what a call shows that is the first to come out wrong: a symptom for each call. Other
# functions are shown the call alone.
SHOWS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "trace": ("zero_noise", "last_state", "early_token"),
        "subject_key": ("bare_key", "prefixed_key", "averaged_key"),
        "rank_one_update": ("example", "other_moment", "example"),
        "memit_update": ("example", "doubled", "example"),
        "alphaedit_update": ("example", "doubled", "example"),
        "low_rank_output": ("example", "doubled", "example"),
    }
)
DOUBLED = {"memit_update": "weight_of_old", "alphaedit_update": "ridge", "low_rank_output": "rate"}
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
ORACLES = (measuring, tracing, editing, many, learned)
OF_MODELS = ("trace", "subject_key")
NUMBERS = {"target_nll"}  # a number that is a tensor
PLAIN = {"layers", "positions", "prefixes", "kinds"}  # lists that are no tensors


def example(trial: Trial) -> Remark | None:
    """What is wrong as a whole, or the first call that comes out wrong; None where none does.

    At most three calls. What the function raises says nothing here.
    """
    if code := _pattern(trial):
        return Remark(code, {}, "SYMPTOMS")
    shows = SHOWS.get(trial.function, ("example",) * len(CALLS.get(trial.function, ())))
    for arguments, code in zip(CALLS.get(trial.function, ()), shows, strict=True):
        try:
            got = _called(trial, arguments)
        except StudentFailed as failure:
            if failure.kind == "timeout":
                return None
            continue
        right = _suited(trial.function, got, _right(trial.function, arguments), arguments)
        if not _same(got, right):
            details = {"call": _written(trial.function, arguments), "how": _how(arguments)}
            details |= {"got": _shown(got), "right": _shown(right)}
            if code == "doubled":
                details["argument"] = DOUBLED[trial.function]
            return Remark(code, details, "SYMPTOMS")
    return None


def _written(function: str, arguments: Mapping[str, Any]) -> str:
    """A call as one would type it, with lists for small tensors.

    Numbers keep their point, since torch makes whole ones of [1, 2] and takes no mean of these.
    """
    given = ["toy_model()"] if function in OF_MODELS else []
    given += [
        _filled(value) if name == "noise" and function in OF_MODELS else _typed(value)
        for name, value in arguments.items()
    ]
    return f"{function}({', '.join(given)})"


def _typed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_typed, value))}]"
    if isinstance(value, float):
        return f"{value:.4g}" if value % 1 else f"{value:.1f}"
    return str(_shown(value))


def _how(arguments: Mapping[str, Any]) -> Remark:
    """What a student has to make of the lists in a call as it is written."""
    lists = [name for name, value in arguments.items() if isinstance(value, list)]
    if kept := [name for name in lists if name in PLAIN]:
        return word("with_tensors_but", name=kept[0])
    return word("with_tensors" if lists else "as_it_stands")


def _filled(value: list) -> str:
    """A tensor of one number, as torch makes it."""
    tensor = torch.tensor(value)
    return f"torch.full({tuple(tensor.shape)}, {tensor.flatten()[0]:.1f})"


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
    listed = isinstance(value, list) and name not in PLAIN or name in NUMBERS
    return torch.tensor(value) if listed else value


def _right(function: str, arguments: dict[str, Any]) -> Tensor:
    made: Callable = next(getattr(each, function) for each in ORACLES if hasattr(each, function))
    given = {name: _tensor(name, value) for name, value in arguments.items()}
    model = [toy_model(**TOY)] if function in OF_MODELS else []
    return torch.as_tensor(made(*model, **given)).double()


def _called(trial: Trial, arguments: dict[str, Any]) -> Tensor:
    given = {name: _tensor(name, value) for name, value in arguments.items()}
    tensors = {name: value for name, value in given.items() if isinstance(value, Tensor)}
    values = {
        name: {"slice": [value.start, value.stop]} if isinstance(value, slice) else value
        for name, value in given.items()
        if name not in tensors
    }
    options = {"order": list(given), "values": values}
    if trial.function in OF_MODELS:
        options["model"] = TOY
    adapter = "model_function" if trial.function in OF_MODELS else "plain"
    return trial.call(adapter, tensors, options, seconds=SECONDS).tensors["result"]


def _suited(function: str, got: Tensor, right: Tensor, arguments: dict[str, Any]) -> Tensor:
    """The right result; of a second moment the mean or the sum, whichever is nearer."""
    if function != "second_moment" or got.shape != right.shape:
        return right
    return min((right, len(arguments["keys"]) * right), key=lambda each: distance(got, each))


def _same(got: Tensor, right: Tensor) -> bool:
    got = got.double() if right.dim() else scalar(got).double()
    return got.shape == right.shape and bool(
        (got - right).abs().max() <= CLOSE * max(1.0, float(right.abs().max()))
    )


def _shown(value: Any) -> str | Remark:
    """A value as one would type it, with four digits."""
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, slice):
        return f"slice({value.start}, {value.stop})"
    if isinstance(value, Tensor):
        if value.numel() > 16:
            return word("of_shape", shape=tuple(value.shape))
        value = value.double().tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(str, map(_shown, value)))}]"
    return f"{value:.4g}"
