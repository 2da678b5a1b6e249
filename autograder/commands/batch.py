"""Grades a class: reads each submission once, grades it, looks for copies, and records it."""

import logging
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from autograder.commands.course_secret import tell_if_known
from autograder.commands.tables import as_csv, as_table, progress
from autograder.grade import Grader, admit, cases_of, grade_read, not_graded, submission_in
from autograder.gradebook.config import CONFIG_FILE, REPOSITORY, language_of
from autograder.gradebook.course import Course, alone
from autograder.pages.feedback import PAGE
from autograder.result import Result, name_shown, read_json, write_json, write_text
from autograder.submissions.copies import Group, OwnWork, likely_copies, own_work, with_note
from autograder.submissions.folder import misplaced, students_in
from autograder.submissions.notebooks import Submission
from autograder.submissions.writing import handout_in, own_writing
from keyhole import messages
from keyhole.errors import KeyholeError, Unusable
from keyhole.moments import DEFAULT_LAYER
from keyhole.text import one_line

log = logging.getLogger(__name__)

# Submissions that are open at once, for each job: one is graded, one waits to be recorded. What was
# unpacked of them lies on the disk meanwhile.
OPEN_PER_JOB = 2
UNRECORDED = 3  # exit status where somebody was graded and could not be recorded


@dataclass(frozen=True)
class GradedSubmission:
    """One student's result, and the open submission; None where the grader failed to read it."""

    result: Result
    submission: Submission | None


class Batch:
    """One run of `autograder grade` on the folder `submitted`, with the arguments `chosen`."""

    def __init__(self, chosen: Namespace, submitted: Path):
        self.chosen, self.submitted, self.assignment = chosen, submitted, chosen.assignment
        self.json = chosen.json.resolve()
        self.csv = chosen.csv.resolve() if chosen.csv else None
        try:
            print(admit(chosen.require_isolation, chosen.i_accept_no_isolation))
            # Students are spoken to in the language asked for, else in the course's.
            course_language = language_of(chosen.course or REPOSITORY)
            messages.use(chosen.lang or course_language or messages.language())
        except (KeyholeError, ValueError) as error:
            raise Unusable(str(error)) from None
        self.grader = Grader(seconds=chosen.timeout)
        tell_if_known(self.grader.secret)
        self.grader.prepare()
        self.weight_shape = self._weight_shape()
        released = REPOSITORY / "assignments" / self.assignment
        self.handout = handout_in(released, self.grader.notebooks)
        self.results: dict[str, Result] = {}
        self.works: dict[str, OwnWork] = {}
        self.unrecorded: dict[str, str] = {}  # why a student is not in the gradebook
        self.no_course: str | None = None  # why nobody is
        self.held = ExitStack()  # the course, which no other grading may use meanwhile
        self.course = None if chosen.no_feedback else self._open_course()

    def run(self, students: list[str]) -> int:
        """Grade the students, and print and write what comes out; the exit status."""
        if self.chosen.students:
            self._take_over(students)
        with self.held:
            self._grade_all(students)
        groups = likely_copies(self.works)
        print("\n" + as_table(self._write(groups)))
        if groups:
            print("\nHanded in alike, for you to look at (no points lost):")
            print("\n".join(f"  {group}" for group in groups))
        print(f"\nReport: {self.json}")
        if self.course:
            pages = self.course.grading / "feedback"
            print(f"Feedback pages: {pages}/<student>/{self.assignment}/{PAGE}")
        for why in self._all_unrecorded():
            print(why, file=sys.stderr)
        return UNRECORDED if self.unrecorded or self.no_course else 0

    def _grade_all(self, students: list[str]) -> None:
        """Grade and record the students, one line each."""
        clock = time.perf_counter()
        for done, graded in enumerate(self._graded(students), start=1):
            student, submission = graded.result.student, graded.submission
            self.results[student] = graded.result
            if submission is not None:
                self._look_for_own_work(student, submission)
            self._write([])
            passed = time.perf_counter() - clock
            print(progress(graded.result, done, len(students), passed), flush=True)
            if self.course:
                self._record(graded.result, submission)
            if submission is not None:
                submission.close()

    def _all_unrecorded(self) -> Iterator[str]:
        """The lines of the summary on students who are not in the gradebook."""
        if self.no_course:
            yield f"\nNobody was put into the gradebook: {self.no_course}"
        if self.unrecorded:
            yield "\nGraded, but not in the gradebook and without a page:"
        for student, why in sorted(self.unrecorded.items()):
            yield f"  {name_shown(student)}: {why}"

    def _folder(self, student: str) -> Path:
        return self.submitted / student / self.assignment

    def _graded(self, students: list[str]) -> Iterator[GradedSubmission]:
        """The students as they are finished. A thread drives each sandbox."""
        waiting = iter(students)
        with ThreadPoolExecutor(self.chosen.jobs) as pool:
            running = set()
            try:
                while True:
                    free = OPEN_PER_JOB * self.chosen.jobs - len(running)
                    running |= {pool.submit(self._grade, name) for name in islice(waiting, free)}
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                for future in running:
                    future.cancel()

    def _grade(self, student: str) -> GradedSubmission:
        submission = None
        try:
            submission = submission_in(self._folder(student), self.grader.notebooks)
            result = grade_read(submission, student, self.grader, self.assignment)
        except Exception:  # a defect of ours: it costs one student's grade, not the batch
            log.exception("grading %s", student)
            result = not_graded(student, self.grader, self.assignment)
        return GradedSubmission(result, submission)

    def _write(self, groups: list[Group]) -> list[Result]:
        """Write the reports of all results so far, with what is known of copies; the results."""
        noted = [with_note(self.results[name], groups) for name in sorted(self.results)]
        write_json(self.json, noted)
        if self.csv:
            write_text(self.csv, as_csv(noted))
        return noted

    def _record(self, result: Result, submission: Submission | None) -> None:
        """Put a result into the gradebook. A failure costs one student's page, not the batch."""
        student = result.student
        why = misplaced(self._folder(student)) if result.status == "failed" else None
        try:
            if not why and submission is None:
                raise KeyholeError("the grader itself failed to read it")
            if not why:
                self.course.record(result, submission)
        except Exception as error:
            if not isinstance(error, KeyholeError):
                log.exception("recording %s", student)
            why = self.unrecorded[student] = one_line(error)
        if why:
            print(f"  {name_shown(student)}: not in the gradebook: {why}", file=sys.stderr)

    def _open_course(self) -> Course | None:
        """The gradebook, or None with a sentence: without one there is still a report."""
        root = self.chosen.course or REPOSITORY
        try:
            if (Path(root) / CONFIG_FILE).is_file():
                self.held.enter_context(alone(root))
            return Course(self.assignment, self.grader.notebooks, root)
        except KeyholeError as error:
            print(f"No gradebook and no feedback pages: {error}", file=sys.stderr)
            if (Path(root) / CONFIG_FILE).is_file():  # a folder that is no course has none to keep
                self.no_course = str(error)
            return None

    def _take_over(self, students: list[str]) -> None:
        """Grading some students again loses nothing of the others.

        Their results come from an earlier report of the same class. What they handed in is compared
        with what is graded now.
        """
        others = [name for name in students_in(self.submitted) if name not in students]
        present = {*others, *students}
        try:
            earlier = {result.student: result for result in read_json(self.json)}
        except (OSError, ValueError, KeyError, TypeError):
            earlier = {}
        self.results = {name: result for name, result in earlier.items() if name in present}
        for name in others:
            with submission_in(self._folder(name), self.grader.notebooks) as submission:
                self._look_for_own_work(name, submission)

    def _weight_shape(self) -> tuple[int, int] | None:
        """The shape of the W that students edit; None where the assignment has no such part."""
        tests = self.grader.notebooks.values()
        of_files = any(case.of_files for hidden in tests for case in cases_of(hidden))
        return self.grader.model().weight(DEFAULT_LAYER).shape if of_files else None

    def _look_for_own_work(self, student: str, submission: Submission) -> None:
        """Keep what the student wrote, and the own fact and edit if the assignment has such a part.

        A folder that may not be looked into is skipped, as a link is: its files are another's.
        """
        if self.weight_shape and not submission.handed.shut:
            writing = own_writing(submission, self.handout)
            folder = submission.handed.folder_of(None)
            self.works[student] = own_work(folder, self.weight_shape, writing)
