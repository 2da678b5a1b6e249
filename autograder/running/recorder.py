"""Results into a course's gradebook, so that none is lost.

Grading goes on while the gradebook takes nothing, as when another program locks it. What it did not
take is tried again at the end. What it still does not take is told, with the command that mends it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.grade import submission_in
from autograder.gradebook.course import Course
from autograder.gradebook.records import GradebookFailed
from autograder.result import Result
from autograder.submissions.folder import digest_of, misplaced
from autograder.submissions.notebooks import Submission
from keyhole.errors import KeyholeError
from keyhole.text import one_line

log = logging.getLogger(__name__)

TRIES, PAUSE = 3, 2.0  # at the end, and seconds between two of them
# How long a gradebook that took nothing is left alone. Each try itself may wait as long as
# nbgrader_config.py says.
REST = 60.0
READ_FAILED = "the grader itself failed to read it"
CHANGED = "what was handed in has changed since it was graded: grade it again"


@dataclass
class Recorder:
    """Records the results of one class into one course.

    folder_of(student) is where the student's submission lies.
    """

    course: Course
    folder_of: Callable[[str], Path]

    def __post_init__(self):
        self._later: dict[str, tuple[Result, str]] = {}  # what the gradebook did not take
        self._rest_until = 0.0
        self.lost: dict[str, str] = {}  # why a student is not in the gradebook, at the end
        self.mendable: set[str] = set()  # those of them whom `autograder record` may put there

    def record(self, result: Result, submission: Submission | None, handed_in: str) -> str | None:
        """Record a result now, or later if the gradebook takes nothing; why it is not recorded.

        A failure costs one student's page, not the batch.
        """
        if time.monotonic() < self._rest_until:
            self._later[result.student] = result, handed_in
            return None
        try:
            return self._tried(result, submission, handed_in)
        except GradebookFailed:
            self._later[result.student] = result, handed_in
            self._rest_until = time.monotonic() + REST
            return None

    def recorded(self, result: Result, handed_in: str) -> bool:
        """Is it recorded already? While the gradebook cannot be asked, its own note counts."""
        try:
            asked = time.monotonic() >= self._rest_until
            return self.course.has_recorded(result, handed_in, asked)
        except GradebookFailed:
            self._rest_until = time.monotonic() + REST
            return True

    def record_from_folder(self, result: Result, handed_in: str) -> str | None:
        """`record` for a result of a report, where it is not recorded yet."""
        if self.recorded(result, handed_in):
            return None
        with submission_in(self.folder_of(result.student), self.course.notebooks) as submission:
            return self.record(result, submission, handed_in)

    def finish(self) -> None:
        """Try again what the gradebook did not take, and sum up who is lost."""
        why = None
        for student, (result, handed_in) in self._later.items():
            # Where it took nothing, several times, it is not asked again for each of a class.
            why = why or self._again(result, handed_in)
            if why:
                self.lost[student] = why
                self.mendable.add(student)
        self._later.clear()

    def _again(self, result: Result, handed_in: str) -> str | None:
        """Why the gradebook takes nothing, after some tries; None where it is not at fault."""
        if digest_of(self.folder_of(result.student)) != handed_in:
            self.lost[result.student] = CHANGED
            return None
        for left in reversed(range(TRIES)):
            try:
                with submission_in(
                    self.folder_of(result.student), self.course.notebooks
                ) as submission:
                    self._tried(result, submission, handed_in)
                return None
            except GradebookFailed as error:
                if not left:
                    return one_line(error)
                time.sleep(PAUSE)

    def _tried(self, result: Result, submission: Submission | None, handed_in: str) -> str | None:
        """Why a result is not recorded; None where it is. Raises GradebookFailed."""
        student = result.student
        if result.status == "failed" and (why := misplaced(self.folder_of(student))):
            return why
        try:
            if submission is None:
                raise KeyholeError(READ_FAILED)
            self.course.record(result, submission, handed_in)
            return None
        except GradebookFailed:
            raise
        except Exception as error:
            if not isinstance(error, KeyholeError):
                log.exception("recording %s", student)
            self.lost[student] = one_line(error)
            if submission is not None:
                self.mendable.add(student)
            return self.lost[student]
