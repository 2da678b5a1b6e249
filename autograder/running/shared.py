"""What all submissions of a class share: inputs, right results, results of misunderstandings.

They follow from the course secret. A process makes each when a test first needs it, and keeps it.
Here they are made before the first submission, so that copies of this process have them.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import torch

from autograder import secret as secrets
from autograder.grade import Grader, cases_of
from autograder.result import function_of
from keyhole.models import EditableModel

log = logging.getLogger(__name__)


def make(grader: Grader) -> None:
    """Make what the hidden tests of `grader` share, as far as no submission has a say in it."""
    for hidden in grader.notebooks.values():
        for case in cases_of(hidden):
            try:
                case.run(Rehearsal(grader, case.id))
            except AnswerNeeded:
                continue
            except Exception:  # a defect of ours, which shows again when a submission is graded
                log.exception("rehearsing %s", case.id)
        if rehearse := getattr(hidden, "rehearse", None):
            rehearse(grader.secret, grader.model())
        if getattr(hidden, "challenge", False):
            grader.challenge()


class AnswerNeeded(Exception):
    """Here a student's function would have to answer."""


@dataclass(frozen=True)
class Rehearsal:
    """A Trial (autograder.hidden.case) of no submission: a test goes as far as its first call."""

    grader: Grader
    test_id: str

    @property
    def secret(self) -> bytes:
        """The course's."""
        return self.grader.secret

    @property
    def function(self) -> str:
        """The name of the graded function."""
        return function_of(self.test_id)

    @property
    def folder(self) -> Path:
        """What was handed in: nothing. Raises AnswerNeeded."""
        raise AnswerNeeded

    def call(self, *_: object, **__: object) -> None:
        """No function answers. Raises AnswerNeeded."""
        raise AnswerNeeded

    def generator(self, *names: str) -> torch.Generator:
        """Randomness for this test's hidden inputs, from the course secret."""
        return secrets.generator(self.secret, self.test_id, *names)

    def model(self) -> EditableModel:
        """The grader's own real model."""
        return self.grader.model()

    def verdict(self, test_id: str) -> None:
        """No other test has run."""

    def rests_on(self, name: str) -> bool:
        """There is no function that could."""
        return False

    def once(self, kind: object) -> None:
        """What tests of one submission share hangs on its answers. Raises AnswerNeeded."""
        raise AnswerNeeded
