"""`autograder report`: one page on a whole class, made of its report."""

from argparse import ArgumentParser, Namespace
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.commands.arguments import (
    Subparsers,
    add_course,
    add_language,
    check_writable,
    read_report,
)
from autograder.result import Result, write_text
from keyhole import messages
from keyhole.errors import KeyholeError

if TYPE_CHECKING:  # it loads matplotlib
    from autograder.pages.class_report import Question


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser: ArgumentParser = commands.add_parser(
        "report",
        help="make one page on the whole class",
        description=(
            "Make one HTML page of the report that `autograder grade` wrote: scores, questions,"
            " misunderstandings, likely copies, and what is left to grade. It loads nothing from"
            " elsewhere."
        ),
    )
    parser.add_argument("report", metavar="REPORT", type=Path, help="results.json")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, required=True, help="where to write the page"
    )
    parser.add_argument(
        "--anonymous",
        action="store_true",
        help="name nobody and quote nobody: fit to be shown in the lecture",
    )
    add_course(parser)
    add_language(parser)
    parser.set_defaults(run=make_page)


def make_page(chosen: Namespace) -> int:
    """Write the page; the exit status."""
    results = read_report(chosen.report)
    check_writable(chosen.out.resolve())

    from autograder.gradebook.config import language_of
    from autograder.pages.class_report import class_page

    messages.use(chosen.language or language_of(chosen.course) or messages.language())
    written, why = [], None
    try:
        written = written_questions(chosen.course, results)
    except KeyholeError as error:
        why = str(error)
    write_text(chosen.out, class_page(results, written, chosen.anonymous, why))
    print(f"Report on {len(results)} submissions: {chosen.out}")
    return 0


def written_questions(course: Path, results: list[Result]) -> "list[Question]":
    """The written questions of those in the report, from the gradebook. Raises KeyholeError."""
    from autograder.gradebook.standings import standings
    from autograder.pages.class_report import Question

    students = {result.student for result in results}
    found = standings(course, results[0].assignment)
    points, most, left = defaultdict(list), {}, defaultdict(int)
    for standing in found.values():
        for mark in standing.marks if standing.student in students else ():
            key = mark.notebook, mark.cell
            if mark.written:
                most[key] = mark.max_points
                left[key] += mark.open
                points[key] += [] if mark.open else [mark.points]
    if not most:
        raise KeyholeError("the gradebook has nobody of this report")
    return [
        Question(cell, notebook, most[notebook, cell], tuple(points[notebook, cell]), waiting)
        for (notebook, cell), waiting in sorted(left.items())
    ]
