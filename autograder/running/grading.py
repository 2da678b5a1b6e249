"""What a grader process does: it is told the terms once, then it grades one task after another."""

import logging
from dataclasses import dataclass, field

from autograder.grade import Grader, admit, grade_read, not_graded
from autograder.result import Result
from autograder.running.tasks import GradingTask, unpacked
from autograder.running.version import grader_version
from autograder.sandbox import Limits
from keyhole import messages
from keyhole.errors import KeyholeError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """What all submissions of a batch are graded by. The secret is never shown nor written."""

    secret: bytes = field(repr=False)
    limits: Limits
    seconds: float | None
    language: str
    required: str  # level of isolation
    accept_no_isolation: bool
    version: str  # of the client's grader


@dataclass(frozen=True)
class Readiness:
    """What a grader process says of itself: its level of isolation, or why it cannot grade."""

    level: str
    problem: str | None = None


class Unfit(Exception):
    """This process cannot grade by the terms. The submission is graded elsewhere."""


class GraderProcess:
    """The one grader of a process, from when it is told the terms.

    prepared: a grader that has made already what a class shares.
    """

    def __init__(self, prepared: Grader | None = None):
        self._prepared = prepared
        self._terms = self._grader = self._state = None

    def use(self, terms: Terms) -> None:
        """Grade by these terms from now on."""
        self._terms, self._grader, self._state = terms, None, None

    def state(self) -> Readiness:
        """Make ready if that was not done yet; what came of it."""
        if self._state is None:
            self._state = self._made_ready()
        return self._state

    def grade(self, task: GradingTask) -> Result:
        """The result of a task. Raises Unfit."""
        if problem := self.state().problem:
            raise Unfit(problem)
        try:
            with unpacked(task) as submission:
                return grade_read(submission, task.student, self._grader, task.assignment)
        except Exception:  # a defect of ours: it costs one student's grade, not the batch
            log.exception("grading %s", task.student)
            return not_graded(task.student, self._grader, task.assignment)

    def _made_ready(self) -> Readiness:
        terms = self._terms
        if terms is None:
            return Readiness("E", "nobody told it the terms")
        if grader_version() != terms.version:
            return Readiness("E", "it has another version of Keyhole or of its packages")
        messages.use(terms.language)
        try:
            found = admit(terms.required, terms.accept_no_isolation)
            self._grader = Grader(None, terms.secret, terms.seconds, terms.limits)
            if self._prepared:
                self._grader.share(self._prepared)
            self._grader.prepare()
        except KeyholeError as error:
            return Readiness("E", str(error))
        return Readiness(found.level)


# Dask calls functions of modules, so the process has one.
HERE = GraderProcess()
