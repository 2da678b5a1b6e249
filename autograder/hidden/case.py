"""What a hidden test is, what it is given, and what many of them share."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from autograder import messages
from autograder.sandbox import Reply, StudentFailed
from keyhole.checking import looks, symptoms
from keyhole.checking.cases import load_cases
from keyhole.checking.judging import Verdict, Wrongs, name_of
from keyhole.checking.looks import Expected, Observation
from keyhole.checking.symptoms import Given
from keyhole.messages import Remark, misconception
from keyhole.models import EditableModel

Once = TypeVar("Once")


class Trial(Protocol):
    """What a hidden test is given: the student's function, randomness, the grader's own model.

    A test may also ask how another test of the notebook went. Each test runs at most once a
    submission, so the order of the tests makes no difference.
    """

    test_id: str
    function: str  # the name of the graded function
    secret: bytes  # the course's, from which hidden inputs derive
    folder: Path  # the submission, for what is handed in beside the notebook

    def call(
        self,
        adapter: str = "plain",
        tensors: dict[str, Tensor] | None = None,
        options: dict | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """The student's function called in its process. Raises StudentFailed."""

    def generator(self, *names: str) -> torch.Generator:
        """Randomness for this test's hidden inputs, from the course secret."""

    def model(self) -> EditableModel:
        """The grader's own real model."""

    def verdict(self, test_id: str) -> Verdict | None:
        """How another hidden test went; None where the notebook has no such test."""

    def rests_on(self, name: str) -> bool:
        """Whether the student's function looks up another one, itself or through others."""

    def once(self, kind: Callable[["Trial"], Once]) -> Once:
        """`kind(trial)`, made at the first call; all tests of the submission get the same."""


@dataclass(frozen=True)
class HiddenTest:
    """One hidden test. `id` is "<graded function>.<case>".

    `run(trial)` gives a Verdict, in which no hidden value stands.

    `seconds` is the limit of one call, where it differs from the course's. A test `of_files` looks
    at what was handed in beside the notebook, and calls no function of it.
    """

    id: str
    points: float
    run: Callable[[Trial], Verdict]
    seconds: float | None = None
    of_files: bool = False

    @property
    def title(self) -> str:
        """What it is about, in the language spoken."""
        return messages.title(self.id)


@dataclass(frozen=True)
class NotebookTests:
    """The hidden tests of one notebook: grade id of a test cell -> its tests.

    `models` are loaded before a student's code runs. `challenge`: its file is handed in beside this
    notebook. `rehearse(secret, model)` makes what submissions share, and what tests make only once
    a student's function has answered.
    """

    cells: Mapping[str, tuple[HiddenTest, ...]]
    models: tuple[str, ...] = ()
    challenge: bool = False
    # A tiny call that comes out wrong, in words, for a mistake that nothing else explains.
    example: Callable[[Trial], Remark | None] | None = None
    rehearse: Callable[[bytes, EditableModel], None] | None = None


def words(generator: torch.Generator, count: int, length: int = 4) -> list[str]:
    """Made-up words of `length` small letters."""
    letters = torch.randint(97, 123, (count, length), generator=generator).tolist()
    return ["".join(map(chr, row)) for row in letters]


def expected_number(
    trial: Trial,
    number: Tensor,
    wrongs: Callable[[], Mapping[str, Tensor]],
    what: Remark,
    given: Given | None = None,
) -> Expected:
    """A right result of one number. What a public check expects is a wrong one here, too."""
    given = replace(given or Given(), function=trial.function)
    return Expected(number, lambda: wrongs() | _public_answers(trial.function), what, given=given)


def asked_again(
    verdict: Verdict,
    earlier: Expected,
    arguments: Mapping,
    others: Mapping,
    ask: Callable[[dict], tuple[Observation, Expected]],
) -> Verdict:
    """The verdict on a call; where it is right, that on further calls with one other argument each.

    Whoever keeps results for later must ask for every argument whether it is the same. Where the
    first call has a mistake with a name, the first of those calls confirms it, or does not.
    earlier: what the first call should give. arguments: those of the first call, by name. others:
    another value for some of them. ask(arguments) makes a call.
    """
    if verdict.misconception:
        name = next(iter(others))
        with suppress(StudentFailed):
            return confirmed(verdict, *ask({**arguments, name: others[name]}))
    for name, other in others.items():
        if not verdict.passed:
            break
        verdict = not_kept(earlier, *ask({**arguments, name: other}))
        if not verdict.passed and not verdict.misconception:
            verdict = replace(verdict, observed=symptoms.said("later_call", argument=name))
    return verdict


def confirmed(verdict: Verdict, observation: Observation, expected: Expected) -> Verdict:
    """The verdict on a call, without the misconceptions that a further call contradicts.

    Few results are possible where something is counted or chosen, so that a wrong one is another's
    result by chance. That does not happen twice.
    """
    further = looks.right_result(observation, expected)
    against = further.misses | further.excludes
    if further.passed:
        against = frozenset(map(name_of, expected.wrongs()))
    fits, explanation = verdict.fits - against, verdict.explanation
    if verdict.misconception in against:
        explanation = misconception(min(fits)) if fits else None
    misses = verdict.misses | against
    return replace(verdict, explanation=explanation, fits=fits, misses=misses)


def not_kept(earlier: Expected, observation: Observation, expected: Expected) -> Verdict:
    """The verdict on a later call. The right result of an `earlier` one is a known wrong one."""
    kept = Wrongs(memo_too_small=earlier.right)
    return looks.right_result(
        observation, replace(expected, wrongs=lambda: kept | expected.wrongs())
    )


@cache
def _public_answers(function):
    """The answers to the public checks, as wrong results. 0 and 1 are not among them."""
    answers = {case.id: case.stored["right"] for case in load_cases()[function]}
    return {
        f"hard_coded:{case}": answer
        for case, answer in answers.items()
        if answer.dim() == 0 and answer not in (0, 1)
    }
