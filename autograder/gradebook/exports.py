"""Points for other course systems: the files that Canvas and Moodle read, and one for people."""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autograder.gradebook.roster import Roster, delimiter_of
from autograder.gradebook.standings import Mark, Standing
from autograder.result import DECIMALS
from keyhole.errors import Unusable

POSSIBLE = "Points Possible"  # in the first cell of Canvas's second row
READ_ONLY = "(read only)"
IDS = "ID", "SIS User ID", "SIS Login ID"
FIXED = ("Student", *IDS, "Integration ID", "Root Account", "Section")
GRADE = ("Grade", "成績", "分數")  # Moodle's heads, which are translated
NUMBER = re.compile(r"\d+")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # begin a formula in a spreadsheet


@dataclass(frozen=True)
class Points:
    """What is exported: the points of each student, out of how many, and what they hold."""

    of: Mapping[str, float]
    most: float
    holds: str
    waiting: Sequence[str] = ()  # left out: written answers of theirs are not graded yet


@dataclass
class Filled:
    """A filled file, and what needs a look."""

    text: str
    given: list[str] = field(default_factory=list)  # students with points in it
    told: list[str] = field(default_factory=list)


def totals(found: Mapping[str, Standing], automatic: bool) -> Points:
    """The total of each student; or `automatic`, the points of the hidden tests alone.

    A bonus is in a total, and not in what it is out of. A total of which a written answer is not
    graded yet is none: it would be too low.
    """
    if automatic:
        most = max(each.automatic_most for each in found.values())
        holds = "automatic points alone: without written questions and without late penalties"
        return Points({name: each.automatic for name, each in found.items()}, most, holds)
    waiting = sorted(name for name, each in found.items() if each.open)
    by_hand = sum(mark.overridden for each in found.values() for mark in each.marks)
    late = sum(each.penalty > 0 for each in found.values())
    holds = (
        f"automatic and manual points ({by_hand} of them overridden by hand), less late penalties"
        f" ({late} students have one)"
    )
    complete = {name: each.total for name, each in found.items() if not each.open}
    return Points(complete, max(each.max_points for each in found.values()), holds, waiting)


def canvas_gradebook(
    template: str, column: str, points: Points, roster: Roster | None, scale: bool
) -> Filled:
    """A gradebook that Canvas exported, with one column filled, for the import there.

    The first columns and the row of points stay. Other columns, and everybody without points, are
    left out: Canvas takes an empty cell for a change. Raises Unusable.
    """
    mark = delimiter_of(template)
    rows = list(csv.reader(template.splitlines(keepends=True), delimiter=mark))
    header = rows[0] if rows else []
    if header[:2] != ["Student", "ID"] or "Section" not in header:
        raise Unusable(
            "the template is no gradebook that Canvas exported: Student, ID, ... Section"
        )
    fixed = [i for i, name in enumerate(header) if name in FIXED]
    at = _canvas_column(header, column, len(fixed))
    special = [row for row in rows[1:4] if _before_students(row)]
    for row in special:
        if POSSIBLE in row[0]:
            if READ_ONLY in row[at]:
                raise Unusable(f"Canvas computes the column {header[at]!r}: choose another one")
            factor = _factor(row[at], points.most, scale, "Canvas")
            break
    else:
        raise Unusable("the template has no row of points possible")
    filled, kept = Filled(""), [header, *special]
    for row in rows[1:]:
        if row in special or len(row) <= at:
            continue
        ids = [row[i] for i in fixed if header[i] in IDS]
        student = _student(ids, row[0], points.of, roster)
        if student:
            row[at] = f"{round(points.of[student] * factor, DECIMALS):g}"
            filled.given.append(student)
            kept.append(row)
    file = io.StringIO()
    csv.writer(file, delimiter=mark, lineterminator="\n").writerows(
        [row[i] for i in (*fixed, at)] for row in kept
    )
    filled.text = file.getvalue()
    return filled


def _canvas_column(header: list[str], column: str, first: int) -> int:
    titles = [re.sub(r" \(\d+\)$", "", name) for name in header]
    found = [i for i in range(first, len(header)) if column in (header[i], titles[i])]
    if len(found) != 1:
        there = ", ".join(repr(name) for name in header[first:][:12])
        what = "has no column" if not found else "has more than one column"
        raise Unusable(f"the template {what} {column!r}; Canvas would make a new one: {there}")
    return found[0]


def _before_students(row: list[str]) -> bool:
    """Is it a row of Canvas's own, as that of the points possible and that of manual posting?"""
    return bool(row) and (POSSIBLE in row[0] or not row[0].strip() and not row[1].strip())


def _factor(most: str, ours: float, scale: bool, where: str) -> float:
    """By how much points are multiplied. Raises Unusable where that is not 1 and not asked for."""
    try:
        theirs = float(most.replace(",", "."))
    except ValueError:
        raise Unusable(f"{where} says no maximum for this column ({most!r})") from None
    if theirs == ours:
        return 1.0
    if not scale or not theirs > 0:
        raise Unusable(
            f"{where} has {theirs:g} points for this column, the course {ours:g}: change it there,"
            " or add --scale"
        )
    return theirs / ours


def moodle_worksheet(
    worksheet: str, points: Points, find: Callable[[list[str], str], str | None], scale: bool
) -> Filled:
    """A grading worksheet of Moodle's, with its grades filled; only rows with a new grade are left.

    `find` gives the student of ids and a name. Decimals are written as the file's own are. Raises
    Unusable.
    """
    mark = delimiter_of(worksheet)
    rows = list(csv.reader(worksheet.splitlines(keepends=True), delimiter=mark))
    header = rows[0] if rows else []
    at = next((i for i, name in enumerate(header) if name.strip() in GRADE), None)
    if at is None or at + 1 >= len(header):
        raise Unusable(
            f"the worksheet has no column of grades, called one of {', '.join(GRADE)}: download it"
            " from the assignment in English or Chinese"
        )
    filled, kept = Filled(""), [header]
    for row in rows[1:]:
        if len(row) != len(header):
            continue
        student = find([*NUMBER.findall(row[0])[-1:], *row[2:at]], row[1])
        if student is None or student not in points.of:
            continue
        if at + 2 < len(row) and row[at + 2].strip() in ("No", "否"):
            filled.told.append(f"{student}: Moodle has locked the grade")
            continue
        factor = _factor(row[at + 1], points.most, scale, "Moodle")
        grade = f"{points.of[student] * factor:.2f}"
        row[at] = grade.replace(".", ",") if "," in row[at + 1] else grade
        filled.given.append(student)
        kept.append(row)
    file = io.StringIO()
    csv.writer(file, delimiter=mark, lineterminator="\n").writerows(kept)
    filled.text = file.getvalue()
    return filled


def _student(
    ids: list[str], name: str, of: Mapping[str, float], roster: Roster | None
) -> str | None:
    found = roster.find(ids, name) if roster else None
    return found if found in of else next((each for each in ids if each in of), None)


def questions(found: Mapping[str, Standing], roster: Roster | None) -> str:
    """A CSV: a row for each student, a column for each question, and what the total holds."""
    cells = list(dict.fromkeys((m.notebook, m.cell) for each in found.values() for m in each.marks))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    sums = ["automatic", "manual", "penalty", "total", "bonus_in_total", "max"]
    heads = [cell.removeprefix("test_") for _, cell in cells] + sums
    writer.writerow(["student", "name", *heads, "overridden", "to_grade"])
    for student, each in sorted(found.items()):
        marks = {(mark.notebook, mark.cell): mark for mark in each.marks}
        overridden = " ".join(
            mark.cell.removeprefix("test_") for mark in each.marks if mark.overridden
        )
        writer.writerow(
            [_text(student), _text(roster.name_of(student) if roster else "")]
            + [_shown(marks.get(cell)) for cell in cells]
            + [each.automatic, each.manual, each.penalty, each.total, each.bonus, each.max_points]
            + [overridden, len(each.open)]
        )
    return file.getvalue()


def _shown(mark: Mark | None) -> float | str:
    """The points of a question; empty while a written one is not graded."""
    return "" if mark is None or mark.written and mark.open else mark.points


def _text(text: str) -> str:
    return "'" + text if text.startswith(FORMULA) else text
