"""`autograder validity`: hold the hidden tests against wrong and right solutions."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from autograder.commands.arguments import (
    Subparsers,
    add_jobs,
    check_folders,
    check_writable,
    cores_here,
    names_in,
)
from autograder.gradebook.config import REPOSITORY
from autograder.result import write_text
from keyhole.errors import KeyholeError, Unusable

UNSEEN = REPOSITORY / "unseen"  # the kit's own set


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
    parser.add_argument(
        "--unseen",
        metavar="FOLDER",
        type=Path,
        help="grade the wrong solutions of this folder instead (docs/validity.md describes it)",
    )
    add_jobs(parser, min(2, cores_here()))
    parser.add_argument(
        "--write", metavar="FILE", type=Path, help="write the report as Markdown, too"
    )
    parser.set_defaults(run=validity)


def validity(chosen: Namespace) -> int:
    """Print how wrong and right solutions fare."""
    check_folders()

    from tqdm import tqdm

    from autograder.validity import examined, unseen
    from autograder.validity.report import as_markdown, as_text

    if chosen.write:
        check_writable(chosen.write.resolve())
    if chosen.secret and not chosen.secret.exists():
        raise Unusable(f"there is no secret {chosen.secret}")
    functions = names_in(chosen.functions) if chosen.functions else None
    try:
        if chosen.unseen:
            return _unseen(chosen, tqdm)
        report = examined(functions, chosen.secret, chosen.jobs, tqdm)
    except KeyholeError as error:
        raise Unusable(error) from None
    print(as_text(report))
    if chosen.write:
        page = as_markdown(report)
        write_text(chosen.write, unseen.put_into(page, UNSEEN))
        print(f"Written: {chosen.write}")
    return 1 if report.problems() else 0


def _unseen(chosen: Namespace, progress: Callable) -> int:
    """Print what the solutions of a folder are told; the exit status is 1 below the figures."""
    from autograder.validity import unseen

    if not chosen.unseen.is_dir():
        raise Unusable(f"there is no folder {chosen.unseen}")
    check_writable((chosen.unseen / unseen.TOLD).resolve())
    rows = unseen.examined(chosen.unseen, chosen.secret, chosen.jobs, progress)
    print(unseen.as_text(rows))
    print(f"Written: {chosen.unseen / unseen.TOLD}; fill in its column `verdict`")
    if chosen.write:
        page = chosen.write.read_text("utf-8") if chosen.write.is_file() else ""
        write_text(chosen.write, unseen.put_into(page, chosen.unseen))
        print(f"Written: {chosen.write}")
    return 1 if unseen.short_of(rows) else 0
