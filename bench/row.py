"""One line of the benchmark's table."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    seconds: float
    baseline: float = 0.0  # seconds of a baseline run beside it; 0 where there is none
    target: str = ""
    notes: tuple[str, ...] = ()  # where the time goes


def timed(run: Callable[[], T]) -> tuple[T, float]:
    """(what `run` returned, its seconds)"""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def matrix_rate(size: int = 2048, repeats: int = 5) -> float:
    """The machine's single-precision matrix rate in GFLOP/s, the best of some products."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = min(timed(lambda: a @ b)[1] for _ in range(repeats))
    return 2 * size**3 / best / 1e9
