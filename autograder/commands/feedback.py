"""`autograder feedback`: every student's page again, with what the staff graded meanwhile."""

import sys
from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import Subparsers, add_course, add_language, read_report
from autograder.result import name_shown
from keyhole import messages

UNWRITTEN = 3  # exit status where somebody has no page


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "feedback",
        help="make the students' pages again",
        description=(
            "Make one page of feedback for each student of a report: the total, every function with"
            " its tests, and the points and comments that the staff gave in formgrader."
        ),
    )
    parser.add_argument("report", metavar="REPORT", type=Path, help="results.json")
    add_course(parser)
    add_language(parser)
    parser.set_defaults(run=make_pages)


def make_pages(chosen: Namespace) -> int:
    """Write the pages; the exit status."""
    results = read_report(chosen.report)

    from nbgrader.coursedir import CourseDirectory

    from autograder.gradebook.config import config_of, language_of
    from autograder.gradebook.feedback import write_page
    from autograder.gradebook.standings import standings

    messages.use(chosen.language or language_of(chosen.course) or messages.language())
    known = standings(chosen.course, results[0].assignment)
    folders = CourseDirectory(config=config_of(chosen.course))
    unknown = []
    for result in results:
        if standing := known.get(result.student):
            page = write_page(folders, result, standing)
        else:
            unknown.append(result.student)
    if len(unknown) < len(results):
        print(f"Feedback pages: {page.parents[2]}/<student>/{results[0].assignment}/{page.name}")
    for student in unknown:
        print(f"  {name_shown(student)}: no page: not in the gradebook", file=sys.stderr)
    return UNWRITTEN if unknown else 0
