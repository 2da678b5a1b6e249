"""What a hidden test is, and what many of them share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch

from autograder import messages
from keyhole.checking.checks import load_cases
from keyhole.checking.judging import Verdict, judge, usable
from keyhole.messages import feedback, misconception


@dataclass(frozen=True)
class Outcome:
    """What a hidden test found: `fraction` of its points, and the sentence for the student (no hidden value in it)."""

    passed: bool
    message: str
    misconception: str | None = None
    fraction: float = 0.0
    missing: bool = False  # what should have been handed in was not


def outcome(verdict: Verdict) -> Outcome:
    """All points or none."""
    return Outcome(verdict.passed, verdict.message, verdict.misconception, float(verdict.passed))


@dataclass(frozen=True)
class HiddenTest:
    """One hidden test. `id` is "<graded function>.<case>"; `run(bench)` gives an Outcome; `seconds` is the limit of one call, where it differs
    from the course's.

    A test `of_files` looks at what was handed in beside the notebook, and calls no function of it.
    """

    id: str
    points: float
    run: Callable
    seconds: float | None = None
    of_files: bool = False

    @property
    def title(self) -> str:
        """What it is about, in the language spoken."""
        return messages.title(self.id)


@dataclass(frozen=True)
class NotebookTests:
    """The hidden tests of one notebook: grade id of a test cell -> its tests; `models` are loaded before a student's code runs."""

    cells: Mapping[str, tuple[HiddenTest, ...]]
    models: tuple[str, ...] = ()


def words(generator, count, length=4):
    """Made-up words of `length` small letters."""
    letters = torch.randint(97, 123, (count, length), generator=generator).tolist()
    return ["".join(map(chr, word)) for word in letters]


def judge_number(bench, got, right, wrongs, what):
    """Verdict on a result of one number; what a public check expects is a wrong one here, too."""
    return judge(got, right, lambda: wrongs() | _public_answers(bench.function), what)


@cache
def _public_answers(function):
    """What a function that always gives the answer to a public check gives; 0 and 1 may be anything."""
    answers = {case.id: case.stored["right"] for case in load_cases()[function]}
    return {
        f"hard_coded:{case}": answer
        for case, answer in answers.items()
        if answer.dim() == 0 and answer not in (0, 1)
    }


def arguments_kept(got, sent, shape, what):
    """Whether the tensors sent came back as they were, beside a result that is usable: Outcome."""
    unusable = usable(got["result"], shape, what)
    if unusable:
        return outcome(unusable)
    for name, tensor in sent.items():
        if not torch.equal(got[f"after.{name}"], tensor):
            return outcome(
                Verdict(False, misconception("input_changed", what=name), "input_changed")
            )
    return Outcome(True, feedback("untouched_inputs"), fraction=1.0)
