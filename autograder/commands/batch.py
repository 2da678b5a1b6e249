"""Grades a class: reads each submission once, grades it, looks for copies, and records it."""

import logging
import sys
import time
from argparse import Namespace
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.course_secret import tell_if_known
from autograder.commands.recording import UNRECORDED, recap, record_command, recorder_of, tell
from autograder.commands.tables import as_csv, as_table, progress
from autograder.grade import Grader, admit, cases_of, grade_read, not_graded, submission_in
from autograder.gradebook.config import CONFIG_FILE, REPOSITORY, language_of
from autograder.oracle import references
from autograder.pages.feedback import PAGE
from autograder.result import Result, name_shown, read_json
from autograder.running.grading import Terms
from autograder.running.kept import KeptResults, kept_beside
from autograder.running.reports import Reports, not_written
from autograder.running.tasks import GradingTask, packed
from autograder.running.version import grader_version
from autograder.submissions.copies import OwnWork, likely_copies, own_work, with_note
from autograder.submissions.folder import digest_of, students_in
from autograder.submissions.notebooks import Submission
from autograder.submissions.writing import handout_in, own_writing
from keyhole import messages
from keyhole.errors import KeyholeError, Unusable
from keyhole.fetch import fetch

if TYPE_CHECKING:
    from autograder.running.workers import Workers

log = logging.getLogger(__name__)

LOWEST_ON_CLUSTER = "B"  # level of isolation: a worker belongs to others too
KILLS = (
    "every grader process that took this submission died, also when it was graded alone. That is no"
    " 0: it has no entry in the report. Grade it by itself (--students) on another machine"
)


@dataclass(frozen=True)
class Opened:
    """One student's open submission, and the hash of what was handed in.

    Without a `submission` the grader failed to read it.
    """

    student: str
    handed_in: str
    submission: Submission | None


class Batch:
    """One run of `autograder grade` on the folder `submitted`, with the arguments `chosen`."""

    def __init__(self, chosen: Namespace, submitted: Path):
        self.chosen, self.submitted, self.assignment = chosen, submitted, chosen.assignment
        self.json = chosen.json.resolve()
        csv = chosen.csv.resolve() if chosen.csv else None
        try:
            level = self._admitted()
            # Students are spoken to in the language asked for, else in the course's.
            course_language = language_of(chosen.course or REPOSITORY)
            messages.use(chosen.lang or course_language or messages.language())
        except (KeyholeError, ValueError) as error:
            raise Unusable(str(error)) from None
        self.grader = Grader(seconds=chosen.timeout)
        tell_if_known(self.grader.secret)
        self.weight_shape = self._weight_shape()
        released = REPOSITORY / "assignments" / self.assignment
        self.handout = handout_in(released, self.grader.notebooks)
        self.results: dict[str, Result] = {}
        self.works: dict[str, OwnWork] = {}
        self.kept = KeptResults(kept_beside(self.json), self.grader, self.assignment, level)
        self.reports = Reports(self.json, csv, as_csv)
        self.ungraded: list[str] = []  # whose every grader process died
        self.held = ExitStack()  # the course, which no other grading may use meanwhile
        self.recorder = self.no_course = None  # the latter: why nobody is in the gradebook
        if not chosen.no_feedback:
            self._open_recorder()

    def _admitted(self) -> str:
        """The lowest level of isolation of this batch; on a cluster each worker finds its own."""
        if self.chosen.cluster:
            return min(self.chosen.require_isolation, LOWEST_ON_CLUSTER)
        found = admit(self.chosen.require_isolation, self.chosen.i_accept_no_isolation)
        print(found)
        return found.level

    def run(self, students: list[str]) -> int:
        """Grade the students, and print and write what comes out; the exit status."""
        if self.chosen.students:
            self._take_over_others(students)
        with self.held:
            left = self._not_kept(students)
            self._look_for_model(len(left))
            try:
                self._grade_all(left)
                if self.recorder:
                    self.recorder.finish()
            except BaseException:  # whatever ends the batch: what is finished is in the report
                if self.results:
                    self.reports.write(self._in_order())
                raise
        groups = likely_copies(self.works)
        noted = [with_note(result, groups) for result in self._in_order()]
        self.reports.write(noted)
        print("\n" + as_table(noted))
        if groups:
            print("\nHanded in alike, for you to look at (no points lost):")
            print("\n".join(f"  {group}" for group in groups))
        print(f"\nReport: {self.json}")
        if self.recorder:
            pages = self.recorder.course.grading / "feedback"
            print(f"Feedback pages: {pages}/<student>/{self.assignment}/{PAGE}")
        if self.no_course:
            print(f"\nNobody was put into the gradebook: {self.no_course}", file=sys.stderr)
        for student in self.ungraded:
            print(f"\n{name_shown(student)} was not graded: {KILLS}", file=sys.stderr)
        mending = record_command([self.json], self.submitted, self.chosen.course)
        status = recap(self.recorder, mending, self.no_course is not None)
        return UNRECORDED if self.ungraded else status

    def _in_order(self) -> list[Result]:
        """All results so far."""
        return [self.results[name] for name in sorted(self.results)]

    def _not_kept(self, students: list[str]) -> dict[str, str]:
        """The students to be graded, and the hash of what each handed in.

        Of the others the kept results are taken over, and recorded where they are not yet.
        """
        handed_in = {student: digest_of(self._folder(student)) for student in students}
        for student in () if self.chosen.again else students:
            if result := self.kept.result_of(student, handed_in[student]):
                self._take_over(result, handed_in.pop(student))
        if taken := len(students) - len(handed_in):
            print(
                f"{taken} of {len(students)} taken over: nothing of theirs has changed since they"
                " were graded (--again grades them too)",
                flush=True,
            )
        return handed_in

    def _look_for_model(self, students: int) -> None:
        """See that the model is here before so many students are graded. Raises KeyholeError.

        Where other processes grade, they load it; a cluster's workers look for their own.
        """
        if not students or self.chosen.cluster:
            return
        if min(self.chosen.jobs, students) < 2:
            self.grader.prepare()
        elif self.grader.needs_model:
            fetch()

    def _take_over(self, result: Result, handed_in: str) -> None:
        student = result.student
        self.results[student] = result
        submission = self._read(student)
        with submission or nullcontext():
            self._look_for_own_work(student, submission)
            if self.recorder and not self.recorder.recorded(result, handed_in):
                tell(student, self.recorder.record(result, submission, handed_in))

    def _grade_all(self, students: dict[str, str]) -> None:
        """Grade, keep and record the students, one line each."""
        start, first = time.perf_counter(), None
        with closing(self._graded(students)) as graded:
            for done, (opened, result) in enumerate(graded, start=1):
                with opened.submission or nullcontext():
                    if result is None:
                        self.ungraded.append(opened.student)
                        print(f"  {name_shown(opened.student)}: not graded", file=sys.stderr)
                        continue
                    self._keep(opened, result)
                    now = time.perf_counter()
                    first = first or now
                    passed = now - start, now - first
                    print(progress(result, done, len(students), *passed), flush=True)
                    self._record(opened, result)

    def _keep(self, opened: Opened, result: Result) -> None:
        try:
            self.kept.keep(result, opened.handed_in)
        except OSError as error:
            raise not_written(self.kept.folder, error) from error
        self.results[opened.student] = result
        self._look_for_own_work(opened.student, opened.submission)
        if self.reports.due:
            self.reports.write(self._in_order())

    def _record(self, opened: Opened, result: Result) -> None:
        if self.recorder:
            why = self.recorder.record(result, opened.submission, opened.handed_in)
            tell(opened.student, why)

    def _folder(self, student: str) -> Path:
        return self.submitted / student / self.assignment

    def _graded(self, students: dict[str, str]) -> Iterator[tuple[Opened, Result | None]]:
        """The students as they are finished; without a result, who killed every grader process."""
        opened = (Opened(name, students[name], self._read(name)) for name in students)
        jobs = min(self.chosen.jobs, len(students))
        if jobs < 2 and not (students and self.chosen.cluster):
            yield from ((each, self._grade(each)) for each in opened)
            return
        broken = []  # what could not be read or sent, which needs no worker
        with self._workers(jobs) as workers:
            yield from workers.results(self._tasks(opened, broken))
        yield from ((each, self._not_graded(each)) for each in broken)

    def _tasks(
        self, opened: Iterable[Opened], broken: list[Opened]
    ) -> Iterator[tuple[Opened, GradingTask]]:
        """What grader processes are sent of each; what cannot be sent goes to `broken`."""
        for each in opened:
            try:
                task = packed(each.student, self.assignment, each.submission)
            except Exception:  # a defect of ours, or a file that is gone again
                log.exception("sending %s", each.student)
                broken.append(each)
            else:
                yield each, task

    def _workers(self, jobs: int) -> "Workers":
        """The grader processes, here or on a cluster. Raises KeyholeError."""
        chosen, level = self.chosen, self.chosen.require_isolation
        terms = Terms(
            secret=self.grader.secret,
            limits=self.grader.limits,
            seconds=self.grader.seconds,
            language=messages.language(),
            required=min(level, LOWEST_ON_CLUSTER) if chosen.cluster else level,
            accept_no_isolation=chosen.i_accept_no_isolation and not chosen.cluster,
            version=grader_version(),
        )
        if not chosen.cluster:
            from autograder.running.workers import Workers  # late: --jobs 1 needs no Dask

            return Workers.here(jobs, terms)
        from autograder.running.cluster import Address, ClusterWorkers  # late, as above

        address = Address(chosen.cluster, chosen.tls_ca, chosen.tls_cert, chosen.tls_key)
        workers = ClusterWorkers.at(address, terms)
        worst = max(workers.levels.values())
        print(f"Workers: {len(workers.levels)}, at isolation level {worst} or better.", flush=True)
        return workers

    def _grade(self, opened: Opened) -> Result:
        if opened.submission is not None:
            try:
                return grade_read(opened.submission, opened.student, self.grader, self.assignment)
            except Exception:  # a defect of ours: it costs one student's grade, not the batch
                log.exception("grading %s", opened.student)
        return self._not_graded(opened)

    def _not_graded(self, opened: Opened) -> Result:
        return not_graded(opened.student, self.grader, self.assignment)

    def _read(self, student: str) -> Submission | None:
        try:
            return submission_in(self._folder(student), self.grader.notebooks)
        except Exception:  # a defect of ours: it costs one student's grade, not the batch
            log.exception("reading %s", student)
            return None

    def _open_recorder(self) -> None:
        """The gradebook; or a sentence, since without one there is still a report."""
        root = self.chosen.course or REPOSITORY
        try:
            self.recorder = self.held.enter_context(
                recorder_of(root, self.assignment, self.grader.notebooks, self._folder)
            )
        except KeyholeError as error:
            print(f"No gradebook and no feedback pages: {error}", file=sys.stderr)
            if (Path(root) / CONFIG_FILE).is_file():  # a folder that is no course has none to keep
                self.no_course = str(error)

    def _take_over_others(self, students: list[str]) -> None:
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
            submission = self._read(name)
            with submission or nullcontext():
                self._look_for_own_work(name, submission)

    def _weight_shape(self) -> tuple[int, int] | None:
        """The shape of the W that students edit; None where the assignment has no such part."""
        tests = self.grader.notebooks.values()
        of_files = any(case.of_files for hidden in tests for case in cases_of(hidden))
        return references.weight_shape() if of_files else None

    def _look_for_own_work(self, student: str, submission: Submission | None) -> None:
        """Keep what the student wrote, and the own fact and edit if the assignment has such a part.

        A folder that may not be looked into is skipped, as a link is: its files are another's.
        """
        if self.weight_shape and submission is not None and not submission.handed.shut:
            writing = own_writing(submission, self.handout)
            folder = submission.handed.folder_of(None)
            self.works[student] = own_work(folder, self.weight_shape, writing)
