"""The state of torch and of its like in which each call of a student's function starts.

The grader's child, `keyhole check` and `check` in a notebook all call functions in `same_start`. So
what one call sets, such as a default dtype, reaches no other call, and the verdicts agree.
"""

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy
import torch

KEEP = object()  # a setting that starts as it is found, and is put back afterwards


@dataclass(frozen=True)
class Setting:
    """Something that a process has once, and that any code can change: how to read and put it."""

    read: Callable[[], Any]
    put: Callable[[Any], Any]
    start: Any = KEEP


def _precision() -> str:
    """How exactly torch multiplies float32. It refuses to say so where two interfaces set it."""
    try:
        return torch.get_float32_matmul_precision()
    except RuntimeError:
        return "highest"


def _put_device(device: torch.device | None) -> None:
    # Naming the processor would cost every call of torch some time; None means the same.
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _whole_calls(function: Callable | None = None, *_: Any, **__: Any) -> Callable:
    """In place of torch.compile: the function itself, or a decorator that returns it.

    Compiled code gives the same results. To make it takes a compiler, processes and files, none of
    which the grader's child has.
    """
    return _whole_calls if function is None else function


SETTINGS = (
    Setting(torch.get_default_dtype, torch.set_default_dtype, torch.float32),
    Setting(torch.get_default_device, _put_device, None),
    Setting(torch.is_grad_enabled, torch.set_grad_enabled, True),
    Setting(torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly, False),
    Setting(
        partial(torch.is_autocast_enabled, "cpu"), partial(torch.set_autocast_enabled, "cpu"), False
    ),
    Setting(torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode, 0),
    Setting(_precision, torch.set_float32_matmul_precision, "highest"),
    Setting(torch.get_num_threads, torch.set_num_threads),
    Setting(lambda: torch.compile, partial(setattr, torch, "compile"), _whole_calls),
    Setting(
        lambda: dict(vars(torch._tensor_str.PRINT_OPTS)),
        lambda options: torch.set_printoptions(**options),
        {"profile": "default"},
    ),
    Setting(numpy.get_printoptions, lambda options: numpy.set_printoptions(**options)),
    Setting(numpy.geterr, lambda handling: numpy.seterr(**handling)),
    Setting(torch.get_rng_state, torch.set_rng_state),
    Setting(random.getstate, random.setstate),
    Setting(numpy.random.get_state, numpy.random.set_state),
)


@contextmanager
def same_start() -> Iterator[None]:
    """Make torch's settings, randomness and warnings those of a fresh process, for a while.

    Whatever the code inside makes of them, they are afterwards what they were before. Inside,
    torch.compile returns functions as they are.
    """
    found = [(setting, setting.read()) for setting in SETTINGS]
    try:
        for setting in SETTINGS:
            if setting.start is not KEEP:
                setting.put(setting.start)
        torch.set_flush_denormal(False)
        torch.random.default_generator.manual_seed(0)
        random.seed(0)
        numpy.random.seed(0)
        with warnings.catch_warnings(), torch.inference_mode(False):
            warnings.simplefilter("default")
            yield
    finally:
        for setting, value in found:
            setting.put(value)
