"""`autograder export`: points and pages for Canvas, Moodle and Gradescope, and a table."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from autograder.commands.arguments import Subparsers, add_course, check_writable
from keyhole.errors import KeyholeError, Unusable


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "export",
        help="write points and pages for another course system",
        description=(
            "Write what Canvas, Moodle or Gradescope reads. Points come from the gradebook; each"
            " export says which of automatic points, manual points and penalties they hold."
        ),
    )
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    canvas = _kind(kinds, "canvas", "fill one column of a gradebook that Canvas exported", canvas_)
    canvas.add_argument("--template", metavar="FILE", type=Path, required=True)
    canvas.add_argument("--column", metavar="TITLE", required=True, help="the assignment's title")
    moodle = _kind(kinds, "moodle", "fill a grading worksheet that Moodle exported", moodle_)
    moodle.add_argument("--worksheet", metavar="FILE", type=Path, required=True)
    for each in (canvas, moodle):
        _add_points(each)
    questions = _kind(kinds, "questions", "a table of the points of every question", questions_)
    _add_roster(questions)
    feedback = _kind(kinds, "feedback", "a zip of the students' pages for Canvas or Moodle", pages_)
    feedback.add_argument("--for", dest="system", choices=("canvas", "moodle"), required=True)
    feedback.add_argument(
        "--submitted",
        metavar="SUBMITTED",
        type=Path,
        required=True,
        help="the folder into which `autograder collect` put the submissions",
    )
    gradescope = _kind(kinds, "gradescope", "the zip of an autograder for Gradescope", gradescope_)
    gradescope.set_defaults(course=None)


def _kind(kinds: Subparsers, name: str, what: str, run) -> ArgumentParser:
    parser = kinds.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True)
    if name != "gradescope":
        parser.add_argument("--assignment", metavar="NAME", default="model_editing")
        add_course(parser)
    parser.set_defaults(run=run)
    return parser


def _add_roster(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--roster", metavar="FILE", type=Path, help="who is who, as for `autograder collect`"
    )


def _add_points(parser: ArgumentParser) -> None:
    _add_roster(parser)
    parser.add_argument(
        "--automatic",
        action="store_true",
        help="the points of the hidden tests alone, though written answers are not graded yet",
    )
    parser.add_argument(
        "--scale", action="store_true", help="scale points to the maximum that the other system has"
    )


def canvas_(chosen: Namespace) -> int:
    """Write a gradebook for Canvas; the exit status."""
    from autograder.gradebook.exports import canvas_gradebook
    from autograder.gradebook.roster import text_of

    points, roster = _points(chosen), _roster(chosen)
    template = text_of(chosen.template)
    filled = canvas_gradebook(template, chosen.column, points, roster, chosen.scale)
    return _write_points(chosen, filled, points)


def moodle_(chosen: Namespace) -> int:
    """Write a worksheet for Moodle; the exit status."""
    from autograder.gradebook.exports import moodle_worksheet
    from autograder.gradebook.roster import text_of

    points, roster = _points(chosen), _roster(chosen)

    def find(ids: list[str], name: str) -> str | None:
        known = roster.find(ids, name) if roster else None
        return known or next((each for each in ids if each in points.of), None)

    worksheet = text_of(chosen.worksheet)
    return _write_points(chosen, moodle_worksheet(worksheet, points, find, chosen.scale), points)


def questions_(chosen: Namespace) -> int:
    """Write the table of all questions; the exit status."""
    from autograder.gradebook.exports import questions
    from autograder.gradebook.standings import standings

    found = standings(chosen.course, chosen.assignment)
    _write(chosen.out, questions(found, _roster(chosen)).encode())
    print(f"{len(found)} students: {chosen.out}. total = automatic + manual - penalty.")
    return 0


def pages_(chosen: Namespace) -> int:
    """Write a zip of the students' pages; the exit status."""
    from nbgrader.coursedir import CourseDirectory

    from autograder.gradebook.collected import feedback_zip, rows_in
    from autograder.gradebook.config import config_of
    from autograder.pages.feedback import PAGE

    rows = [row for row in rows_in(chosen.submitted) if row["system"] == chosen.system]
    if not rows:
        raise Unusable(f"{chosen.submitted} holds nothing that was collected from {chosen.system}")
    folders = CourseDirectory(config=config_of(chosen.course))
    students = dict.fromkeys(row["student"] for row in rows)
    pages = {
        name: Path(folders.format_path(folders.feedback_directory, name, chosen.assignment)) / PAGE
        for name in students
    }
    there = {name: page for name, page in pages.items() if page.is_file()}
    if not there:
        raise Unusable("nobody has a page yet: run `autograder feedback REPORT`")
    _write(chosen.out, feedback_zip(chosen.system, rows, there))
    print(f"{len(there)} pages: {chosen.out}")
    return _tell(f"{name}: no page" for name in students if name not in there)


def gradescope_(chosen: Namespace) -> int:
    """Write the zip of an autograder; the exit status."""
    from autograder.gradebook.gradescope import pack

    _write(chosen.out, pack())
    print(f"{chosen.out}: {chosen.out.stat().st_size / 1e6:.1f} MB. It holds the course secret.")
    print("In Gradescope give its container at least 3 GB of memory and 40 minutes.")
    return 0


def _points(chosen: Namespace):
    from autograder.gradebook.exports import totals
    from autograder.gradebook.standings import standings

    return totals(standings(chosen.course, chosen.assignment), chosen.automatic)


def _roster(chosen: Namespace):
    from autograder.gradebook.roster import read_roster

    return read_roster(chosen.roster) if chosen.roster else None


def _write_points(chosen: Namespace, filled, points) -> int:
    if not filled.given:
        raise Unusable("none of the students in that file has points: does it need --roster?")
    _write(chosen.out, filled.text.encode())
    print(f"{len(filled.given)} students: {chosen.out}. Points are {points.holds}.")
    left = (f"{name}: left out, has written answers to grade" for name in points.waiting)
    missing = (f"{name}: has points, is not in that file" for name in points.of)
    missing = (line for line, name in zip(missing, points.of) if name not in filled.given)
    return _tell([*filled.told, *left, *missing])


def _write(path: Path, content: bytes) -> None:
    from keyhole.files import write_atomically

    check_writable(path.resolve())
    try:
        write_atomically(path, content, 0o600)
    except OSError as error:
        raise KeyholeError(f"{path} cannot be written: {error.strerror}") from None


def _tell(sentences) -> int:
    """Print what needs a look; the exit status."""
    told = list(sentences)
    for sentence in told:
        print(f"  {sentence}", file=sys.stderr)
    return 3 if told else 0
