"""One submission into the gradebook: all of it in one transaction, or nothing.

nbgrader's own way commits a submission first and its scores later. A process killed in between
leaves a score of 0 that nobody gave. This module writes the same rows through nbgrader's classes.
"""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from filelock import FileLock
from nbformat import NotebookNode
from nbgrader.api import Grade, Gradebook, InvalidEntry, MissingEntry, SubmittedAssignment
from nbgrader.preprocessors import AssignLatePenalties
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from traitlets.config import Config

from keyhole.errors import KeyholeError
from keyhole.text import one_line

LATE = "AssignLatePenalties"
REGISTRATION = 0x6B657968  # the lock's number; each database has locks of its own
PATIENCE = 60  # seconds that a submission waits for other machines, before it is tried again later


class GradebookFailed(KeyholeError):
    """The gradebook did not take something: it is locked, its disk is full, its server is away."""

    def __init__(self, error: Exception):
        cause = getattr(error, "orig", None) or error
        super().__init__(f"the gradebook does not take it: {one_line(cause, 150)}")


@contextlib.contextmanager
def registering(db_url: str, grading: Path) -> Iterator[None]:
    """Hold the gradebook while its assignment changes: nobody else registers or records.

    nbgrader removes a notebook's rows and writes them anew. Another process that did the same
    meanwhile would remove half of them. grading: the course's folder of everything that grading
    makes. On a server other machines wait, too.
    """
    with FileLock(grading / ".registering"), _held_on_server(db_url):
        yield


@contextlib.contextmanager
def _held_on_server(db_url: str) -> Iterator[None]:
    if not db_url.startswith("postgresql"):
        yield
        return
    engine = create_engine(db_url)
    try:
        with engine.connect() as connection, connection.begin():
            if not _locked(connection, "pg_try_advisory_xact_lock"):
                print(
                    "Another machine is writing to the gradebook: waiting for it.",
                    file=sys.stderr,
                    flush=True,
                )
                _locked(connection, "pg_advisory_xact_lock")
            yield
    finally:
        engine.dispose()


def _locked(connection: Connection, function: str) -> object:
    """What PostgreSQL's function says of the lock, which is held until the transaction ends."""
    return connection.scalar(text(f"SELECT {function}({REGISTRATION})"))


class Records:
    """The rows of one assignment in a course's gradebook."""

    def __init__(self, config: Config, db_url: str, course: str, assignment: str):
        self._config, self._assignment = config, assignment
        self._address = db_url, course
        self._gradebook = None

    def close(self) -> None:
        """Let go of the gradebook; the next use opens it again."""
        if self._gradebook is not None:
            self._gradebook.close()
        self._gradebook = None

    @contextlib.contextmanager
    def put(
        self,
        student: str,
        time: str | None,
        notebooks: Mapping[str, NotebookNode],
        before: Mapping[tuple[str, str], str],
    ) -> Iterator[None]:
        """Write a student's submission; it is in the gradebook once the `with` ends well.

        time: when it was handed in, as nbgrader reads it. notebooks: graded ones, by name. before:
        the texts of the cells that were recorded last, by notebook and grade id. A grade given by
        hand stays done where its cell's text is the same. Raises GradebookFailed, and whatever the
        body raises; either way the gradebook stays as it was.
        """
        try:
            gradebook = self._open()
            with gradebook.engine.connect() as connection, connection.begin():
                # The commits within nbgrader's methods now wait for the end of this transaction.
                gradebook.db.remove()
                gradebook.db.configure(bind=connection, join_transaction_mode="rollback_only")
                if connection.dialect.name == "postgresql":
                    connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE}s'"))
                    _locked(connection, "pg_advisory_xact_lock_shared")
                self._write(gradebook, student, time, notebooks, before)
                gradebook.db.flush()
                yield
                gradebook.db.remove()
        except BaseException as error:
            self.close()
            # nbgrader's methods give some errors of the database a name of their own.
            cause = error.__context__ if isinstance(error, InvalidEntry) else error
            if isinstance(cause, SQLAlchemyError):
                raise GradebookFailed(cause) from error
            raise

    def scores(self, student: str) -> dict[tuple[str, str], float | None] | None:
        """What the tests gave each cell, by notebook and grade id; None for no submission.

        Raises GradebookFailed.
        """
        try:
            with Gradebook(*self._address) as gradebook:
                submission = gradebook.find_submission(self._assignment, student)
                return {
                    (notebook.name, grade.name): grade.auto_score
                    for notebook in submission.notebooks
                    for grade in notebook.grades
                }
        except MissingEntry:
            return None
        except SQLAlchemyError as error:
            raise GradebookFailed(error) from error

    def _open(self) -> Gradebook:
        if self._gradebook is None:
            self._gradebook = Gradebook(*self._address)
        return self._gradebook

    def _write(self, gradebook, student, time, notebooks, before) -> None:
        gradebook.update_or_create_student(student)
        submission = self._submission(gradebook, student, time)
        for name, notebook in notebooks.items():
            written = next(each for each in submission.notebooks if each.name == name)
            grades = {grade.name: grade for grade in written.grades}
            comments = {comment.name: comment for comment in written.comments}
            for cell in notebook.cells:
                grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
                if is_grade(cell):
                    _grade(grades[grade_id], cell, before.get((name, grade_id)))
                if is_solution(cell):
                    comments[grade_id].auto_comment = _comment(cell)
        gradebook.db.flush()
        gradebook.db.expire_all()  # the scores are summed up by the gradebook
        self._penalise(submission)

    def _submission(self, gradebook, student, time) -> SubmittedAssignment:
        fields = {"timestamp": time} if time else {}
        submission = gradebook.update_or_create_submission(self._assignment, student, **fields)
        if not time:
            submission.timestamp = None
        return submission

    def _penalise(self, submission: SubmittedAssignment) -> None:
        """Penalties for being late, by the rule that the course's configuration names."""
        steps = self._config.Autograde.get("autograde_preprocessors", [LATE])
        if not any(str(step).endswith(LATE) for step in steps):
            return
        rule = AssignLatePenalties(config=self._config)
        rule.init_plugin()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = None
            if submission.total_seconds_late > 0:
                penalty = rule.plugin_inst.late_submission_penalty(
                    submission.student.id, notebook.score, submission.total_seconds_late
                )
                if penalty is not None:
                    notebook.late_submission_penalty = min(max(penalty, 0), notebook.score)


def _grade(grade: Grade, cell: NotebookNode, before: str | None) -> None:
    """The cell's score by the tests; whether a person has to look at it."""
    old = grade.auto_score
    grade.auto_score, _ = determine_grade(cell)
    if grade.manual_score is None:
        grade.needs_manual_grade = grade.auto_score is None
    elif is_solution(cell):
        grade.needs_manual_grade |= cell.source != before
    else:  # an override of what the tests say
        grade.needs_manual_grade |= grade.auto_score != old


def _comment(cell: NotebookNode) -> str | None:
    """nbgrader's own comment on an answer that was not touched."""
    untouched = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
    return "No response." if untouched else None
