"""One line of the benchmark's table."""

import time
from dataclasses import dataclass


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
