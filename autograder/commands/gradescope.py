"""`autograder gradescope`: grade one submission inside a container of Gradescope's."""

from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import Subparsers
from keyhole.errors import Unusable


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "gradescope",
        help="grade one submission inside Gradescope's container",
        description=(
            "Grade ROOT/submission and write ROOT/results/results.json. The zip of `autograder"
            " export gradescope` calls it."
        ),
    )
    parser.add_argument("root", metavar="ROOT", type=Path, help="/autograder")
    parser.set_defaults(run=grade_one)


def grade_one(chosen: Namespace) -> int:
    """Grade; the exit status."""
    if not (chosen.root / "submission").is_dir():
        raise Unusable(f"there is no {chosen.root / 'submission'}")

    from autograder.gradebook.gradescope import grade_there

    return grade_there(chosen.root)
