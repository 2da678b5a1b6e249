"""`autograder validity`: hold the hidden tests against wrong and right solutions."""

from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import (
    Subparsers,
    add_jobs,
    check_folders,
    check_writable,
    names_in,
)
from autograder.result import write_text
from keyhole.errors import KeyholeError, Unusable


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "validity",
        help="test the hidden tests with known wrong and right solutions",
        description=(
            "Grade every wrong and right solution of the catalogue. The exit status is 1 if one of"
            " them loses other tests than it should."
        ),
    )
    parser.add_argument(
        "--functions", metavar="A,B", help="only the solutions of these graded functions"
    )
    parser.add_argument(
        "--secret",
        metavar="FILE",
        type=Path,
        help="draw hidden inputs from the secret in this file (default: the course's)",
    )
    add_jobs(parser)
    parser.add_argument(
        "--write", metavar="FILE", type=Path, help="write the report as Markdown, too"
    )
    parser.set_defaults(run=validity)


def validity(chosen: Namespace) -> int:
    """Print how wrong and right solutions fare."""
    check_folders()

    from tqdm import tqdm

    from autograder.validity import examined
    from autograder.validity.report import as_markdown, as_text

    if chosen.write:
        check_writable(chosen.write.resolve())
    if chosen.secret and not chosen.secret.exists():
        raise Unusable(f"there is no secret {chosen.secret}")
    functions = names_in(chosen.functions) if chosen.functions else None
    try:
        report = examined(functions, chosen.secret, chosen.jobs, tqdm)
    except KeyholeError as error:
        raise Unusable(error) from None
    print(as_text(report))
    if chosen.write:
        write_text(chosen.write, as_markdown(report))
        print(f"Written: {chosen.write}")
    return 1 if report.problems() else 0
