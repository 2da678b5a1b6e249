"""What the gradebook says of each student: points of every graded cell, by whom, and penalties."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    SolutionCell,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import aliased

from autograder.gradebook.config import CONFIG_FILE, config_of
from autograder.result import BONUS, DECIMALS
from keyhole.errors import KeyholeError
from keyhole.text import one_line


@dataclass(frozen=True)
class Mark:
    """The points of one graded cell. A staff member's, where there are any, are those that count.

    `written`: only people grade it. nbgrader itself gives 0 (`automatic`) to an answer left as it
    was. `by_hand` is None where nobody gave points. `open`: somebody still has to look at it.
    """

    notebook: str
    cell: str
    written: bool
    max_points: float
    automatic: float | None
    by_hand: float | None
    extra: float
    open: bool

    @property
    def overridden(self) -> bool:
        """Did a staff member replace the points of the hidden tests?"""
        return not self.written and self.by_hand is not None

    @property
    def on_top(self) -> bool:
        """Is it of a notebook whose points are bonus?"""
        return self.notebook in BONUS

    @property
    def points(self) -> float:
        counts = self.automatic if self.by_hand is None else self.by_hand
        return round((counts or 0.0) + self.extra, DECIMALS)


@dataclass(frozen=True)
class Standing:
    """One student's marks in an assignment, by notebook.

    `comments` are the staff's, by (notebook, cell); cells of code that students fill in have some
    too. `penalty` is what was taken off for lateness, `time` (UTC) when it was handed in.
    """

    student: str
    marks: tuple[Mark, ...]
    comments: Mapping[tuple[str, str], str]
    penalty: float
    time: datetime | None

    @property
    def automatic(self) -> float:
        """Points of hidden tests, with what staff members put in their place."""
        return round(sum(mark.points for mark in self.marks if not mark.written), DECIMALS)

    @property
    def manual(self) -> float:
        """Points of written questions."""
        return round(sum(mark.points for mark in self.marks if mark.written), DECIMALS)

    @property
    def total(self) -> float:
        """All points less the penalty; never below 0, as nbgrader has it."""
        return round(max(0.0, self.automatic + self.manual - self.penalty), DECIMALS)

    @property
    def bonus(self) -> float:
        """Points of the notebooks that come on top of the course's, which the others hold too."""
        return round(sum(mark.points for mark in self.marks if mark.on_top), DECIMALS)

    @property
    def max_points(self) -> float:
        """Without the bonus: whoever has all points and some bonus has more."""
        return self._most(self.marks)

    @property
    def automatic_most(self) -> float:
        """How many points the hidden tests can give, without the bonus."""
        return self._most(mark for mark in self.marks if not mark.written)

    @property
    def max_bonus(self) -> float:
        """What can be had on top."""
        return round(sum(mark.max_points for mark in self.marks if mark.on_top), DECIMALS)

    @staticmethod
    def _most(marks: Iterable[Mark]) -> float:
        return round(sum(mark.max_points for mark in marks if not mark.on_top), DECIMALS)

    @property
    def open(self) -> list[Mark]:
        """What somebody still has to grade or to look at."""
        return [mark for mark in self.marks if mark.open]


def standings(root: str | Path, assignment: str, student: str | None = None) -> dict[str, Standing]:
    """Student -> what the gradebook of the course in the folder `root` says of an assignment.

    With a `student` only of this one. Raises KeyholeError where there is no such gradebook, or
    nobody in it.
    """
    try:
        address = config_of(root).CourseDirectory.db_url
    except Exception as error:  # a configuration is a program, and may raise anything
        raise KeyholeError(
            f"{Path(root, CONFIG_FILE)} names no gradebook: {one_line(error)}"
        ) from None
    place = make_url(address)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        raise KeyholeError(f"there is no gradebook {place.database} yet: grade the class first")
    try:
        with Gradebook(address) as book:
            found = _standings(book.db, assignment, student)
    except SQLAlchemyError as error:
        raise KeyholeError(f"the gradebook cannot be read: {one_line(error)}") from None
    if not found:
        raise KeyholeError(f"nobody in the gradebook handed in {assignment!r}")
    return found


def _standings(database, assignment: str, student: str | None) -> dict[str, Standing]:
    wanted = [Assignment.name == assignment]
    if student is not None:
        wanted.append(SubmittedAssignment.student_id == student)
    rows = (
        database.query(SubmittedAssignment, SubmittedNotebook, Notebook, Student)
        .select_from(SubmittedAssignment)
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
        .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        .join(Student, SubmittedAssignment.student_id == Student.id)
        .filter(*wanted)
        .order_by(Student.id, Notebook.name)
    )
    marks, comments = _marks(database, wanted), _comments(database, wanted)
    found: dict[str, Standing] = {}
    for submitted, notebook, of, owner in rows:
        earlier = found.get(owner.id)
        found[owner.id] = Standing(
            owner.id,
            (*(earlier.marks if earlier else ()), *marks[notebook.id]),
            {
                **(earlier.comments if earlier else {}),
                **{(of.name, cell): text for cell, text in comments[notebook.id].items()},
            },
            (earlier.penalty if earlier else 0.0) + (notebook.late_submission_penalty or 0.0),
            submitted.timestamp,
        )
    return found


def _marks(database, wanted: list) -> dict[str, list[Mark]]:
    """Id of a submitted notebook -> its marks."""
    question = aliased(SolutionCell, flat=True)
    rows = (
        database.query(Grade, GradeCell, Notebook.name, question.id)
        .select_from(Grade)
        .join(GradeCell, Grade.cell_id == GradeCell.id)
        .join(Notebook, GradeCell.notebook_id == Notebook.id)
        .join(Assignment, Notebook.assignment_id == Assignment.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .outerjoin(  # a cell that students write and that has points is a question
            question, (question.notebook_id == Notebook.id) & (question.name == GradeCell.name)
        )
        .filter(*wanted)
    )
    found = defaultdict(list)
    for grade, cell, notebook, written in rows:
        ungraded = grade.auto_score is None and grade.manual_score is None
        mark = Mark(
            notebook,
            cell.name,
            written is not None,
            float(cell.max_score),
            grade.auto_score,
            grade.manual_score,
            grade.extra_credit or 0.0,
            bool(grade.needs_manual_grade) or ungraded,
        )
        found[grade.notebook_id].append(mark)
    return found


def _comments(database, wanted: list) -> dict[str, dict[str, str]]:
    """Id of a submitted notebook -> name of a cell -> what the staff wrote there."""
    rows = (
        database.query(Comment.notebook_id, BaseCell.name, Comment.manual_comment)
        .select_from(Comment)
        .join(BaseCell, Comment.cell_id == BaseCell.id)
        .join(Notebook, BaseCell.notebook_id == Notebook.id)
        .join(Assignment, Notebook.assignment_id == Assignment.id)
        .join(SubmittedNotebook, Comment.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(*wanted)
    )
    found = defaultdict(dict)
    for notebook, cell, text in rows:
        if text and text.strip():
            found[notebook][cell] = text
    return found
