"""`autograder collect`: what a course system lets one download, put where `grade` reads it."""

import sys
from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import Subparsers
from keyhole.errors import Unusable

SYSTEMS = ("canvas", "moodle", "gradescope", "zip")
UNKNOWN = 3  # exit status where files belong to nobody in the roster


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "collect",
        help="take in the submissions that a course system lets you download",
        description=(
            "Put a download of Canvas, Moodle or Gradescope, or any zip with a folder for each"
            " student, into SUBMITTED/<student>/<assignment>/. Students are those of the roster."
        ),
    )
    parser.add_argument("download", metavar="DOWNLOAD", type=Path, help="the zip, or its folder")
    parser.add_argument("--from", dest="system", choices=SYSTEMS, required=True)
    parser.add_argument(
        "--roster",
        metavar="FILE",
        type=Path,
        required=True,
        help="a CSV with student ids, names, and ids of the other system",
    )
    parser.add_argument("--to", metavar="SUBMITTED", type=Path, required=True)
    parser.add_argument("--assignment", metavar="NAME", default="model_editing")
    parser.set_defaults(run=take_in)


def take_in(chosen: Namespace) -> int:
    """Collect; the exit status."""
    from autograder.gradebook.collected import LIST, collect
    from autograder.gradebook.roster import read_roster

    roster = read_roster(chosen.roster)
    try:
        done = collect(chosen.download, chosen.system, roster, chosen.to, chosen.assignment)
    except OSError as error:
        raise Unusable(f"{chosen.to} cannot be written: {error.strerror or error}") from None
    absent = sorted({each.student for each in roster.people} - done.students.keys())
    print(f"{len(done.students)} students handed in {sum(done.students.values())} files.")
    print(f"{len(done.late)} are late{': ' if done.late else ''}{', '.join(done.late)}.")
    print(f"{len(absent)} handed in nothing{': ' if absent else ''}{', '.join(absent)}.")
    for sentence in done.told:
        print(f"  {sentence}")
    print(f"Who, when and under which name: {chosen.to / LIST}")
    for place in done.unknown:
        print(f"  {place}: nobody in the roster, so it was left out", file=sys.stderr)
    return UNKNOWN if done.unknown else 0
