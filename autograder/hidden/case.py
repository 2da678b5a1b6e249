"""What a hidden test is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keyhole.judging import Verdict


@dataclass(frozen=True)
class Outcome:
    """What a hidden test found: `fraction` of its points, and the sentence for the student (no hidden value in it)."""

    passed: bool
    message: str
    misconception: str | None = None
    fraction: float = 0.0


def outcome(verdict: Verdict) -> Outcome:
    """All points or none."""
    return Outcome(verdict.passed, verdict.message, verdict.misconception, float(verdict.passed))


@dataclass(frozen=True)
class HiddenTest:
    """One hidden test. `id` is "<graded function>.<case>"; `run(bench)` gives an Outcome; `seconds` is the limit of one call."""

    id: str
    title: str
    points: float
    run: Callable
    seconds: float = 10.0


@dataclass(frozen=True)
class NotebookTests:
    """The hidden tests of one notebook: grade id of a test cell -> its tests; `models` are loaded before a student's code runs."""

    cells: Mapping[str, tuple[HiddenTest, ...]]
    models: tuple[str, ...] = ()
