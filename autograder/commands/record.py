"""`autograder record`: put what reports hold into the gradebook, without grading again."""

from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import (
    Subparsers,
    add_course,
    add_language,
    check_folders,
    read_report,
)
from autograder.result import Result, name_shown
from autograder.submissions.folder import digest_of, students_in
from keyhole import messages
from keyhole.errors import KeyholeError, Unusable

CHANGED = "what was graded is not what lies"


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "record",
        help="put the results of reports into the gradebook",
        description=(
            "Put the results of one or more reports of `autograder grade` into one gradebook, and"
            " make the students' pages. Nothing is graded. What is recorded already is left as it"
            " is."
        ),
    )
    parser.add_argument("reports", metavar="REPORT", type=Path, nargs="+", help="a JSON report")
    parser.add_argument(
        "--submitted",
        metavar="DIR",
        type=Path,
        required=True,
        help="the folder that holds one folder for each student, as it was graded",
    )
    add_course(parser)
    add_language(parser)
    parser.set_defaults(run=record)


def record(chosen: Namespace) -> int:
    """Record the results of some reports; the exit status."""
    check_folders()
    from autograder import hidden  # late: it loads every oracle
    from autograder.commands.recording import recap, record_command, recorder_of, tell
    from autograder.gradebook.config import language_of

    results = read_all(chosen.reports)
    submitted, root = chosen.submitted.resolve(), chosen.course
    messages.use(chosen.language or language_of(root) or messages.language())
    assignment = next(iter(results.values()))[0].assignment
    try:
        there = set(students_in(submitted))
    except KeyholeError as error:
        raise Unusable(str(error)) from None

    def folder_of(student: str) -> Path:
        return submitted / student / assignment

    with recorder_of(root, assignment, hidden.NOTEBOOKS, folder_of) as recorder:
        for student, (result, handed_in) in sorted(results.items()):
            now = digest_of(folder_of(student)) if student in there else None
            if now is None or handed_in not in (None, now):
                why = "there is no folder of this name" if now is None else CHANGED
                recorder.lost[student] = f"{why} in {submitted}"
                tell(student, recorder.lost[student])
                continue
            tell(student, recorder.record_from_folder(result, now))
        recorder.finish()
    done = len(results.keys() - recorder.lost.keys())
    print(f"{done} of {len(results)} results are in the gradebook of {root}")
    return recap(recorder, record_command(chosen.reports, submitted, root))


def read_all(reports: list[Path]) -> dict[str, tuple[Result, str | None]]:
    """Student -> (result, hash of what was handed in, where it is known), of all reports.

    Raises Unusable for a file that is no report, and where two reports differ on a student.
    """
    from autograder.running.kept import handed_in_of, kept_beside  # late: it loads torch

    found, where = {}, {}
    for path in reports:
        for result in read_report(path):
            student = result.student
            bare = result.bare()
            if student in found and found[student][0] != bare:
                raise Unusable(
                    f"{where[student]} and {path} differ on {name_shown(student)}: take the student"
                    " out of one of them"
                )
            found[student] = bare, handed_in_of(kept_beside(path.resolve()), student)
            where[student] = path
    if len({result.assignment for result, _ in found.values()}) != 1:
        raise Unusable("the reports hold results of several assignments")
    return found
