"""What a grader process does: it is told the terms once, then it grades one task after another."""

import ctypes
import gc
import logging
import threading
import uuid
from contextlib import suppress
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
    batch: str = field(default_factory=lambda: uuid.uuid4().hex[:8])  # which one it is


@dataclass(frozen=True)
class Readiness:
    """What a grader process says of itself: its level of isolation, or why it cannot grade."""

    level: str
    problem: str | None = None


class Unfit(Exception):
    """This process cannot grade by the terms. The submission is graded elsewhere."""


class GraderProcess:
    """The one grader of a process, from when it is told the terms.

    prepared: a grader that has made already what a class shares. Where several threads ask, one of
    them makes it ready.
    """

    def __init__(self, prepared: Grader | None = None):
        self._prepared = prepared
        self._terms = self._made = None
        self._making = threading.Lock()

    @property
    def batch(self) -> str | None:
        """The batch by whose terms it grades."""
        terms = self._terms
        return terms.batch if terms else None

    def use(self, terms: Terms | None) -> None:
        """Grade by these terms from now on; None makes it forget them."""
        self._terms, self._made = terms, None

    def state(self) -> Readiness:
        """Make ready if that was not done yet; what came of it."""
        return self._ready()[1]

    def grade(self, task: GradingTask) -> Result:
        """The result of a task. Raises Unfit."""
        _, state, grader = self._ready()
        if state.problem:
            raise Unfit(state.problem)
        try:
            with unpacked(task) as submission:
                return grade_read(submission, task.student, grader, task.assignment)
        except Exception:  # a defect of ours: it costs one student's grade, not the batch
            log.exception("grading %s", task.student)
            return not_graded(task.student, grader, task.assignment)
        finally:
            give_back()

    def _ready(self) -> tuple[Terms | None, Readiness, Grader | None]:
        with self._making:
            terms, made = self._terms, self._made
            if made is None or made[0] is not terms:
                made = self._made = terms, *self._made_ready(terms)
            return made

    def _made_ready(self, terms: Terms | None) -> tuple[Readiness, Grader | None]:
        if terms is None:
            return Readiness("E", "nobody told it the terms"), None
        if grader_version() != terms.version:
            return Readiness("E", "it has another version of Keyhole or of its packages"), None
        messages.use(terms.language)
        try:
            found = admit(terms.required, terms.accept_no_isolation)
            grader = Grader(None, terms.secret, terms.seconds, terms.limits)
            if self._prepared:
                grader.share(self._prepared)
            grader.prepare()
        except KeyholeError as error:
            return Readiness("E", str(error)), None
        return Readiness(found.level), grader


def give_back() -> None:
    """Hand what nobody uses any more to the system; else a submission's tensors would stay.

    Some wait for Python to look for garbage, and glibc keeps what is freed.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


# Dask calls functions of modules, so the process has one.
HERE = GraderProcess()
