"""One line of the benchmark's table."""

import time
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Row:
    """Seconds of ours, of a baseline run beside it (0: there is none), the target as text, and where the time goes."""

    what: str
    seconds: float
    baseline: float = 0.0
    target: str = ""
    notes: tuple = ()


def timed(run):
    """(what `run` returned, its seconds)"""
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def matrix_rate(size=2048, repeats=5):
    """The machine's single-precision matrix rate in GFLOP/s, the best of some products."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best = min(timed(lambda: a @ b)[1] for _ in range(repeats))
    return 2 * size**3 / best / 1e9
