"""Arguments that several commands have, and what is wrong with them."""

import os
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable
from pathlib import Path

from keyhole.errors import Unusable
from keyhole.paths import check_temporary_folder

Subparsers = _SubParsersAction  # argparse has no public name for the place of subcommands


def add_jobs(parser: ArgumentParser) -> None:
    """Add --jobs."""
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=positive(int),
        default=min(2, os.cpu_count() or 1),
        help="submissions graded at once (default %(default)s)",
    )


def positive(kind: Callable) -> Callable:
    """An argparse type: a number of `kind` above 0."""

    def parse(text: str):
        number = kind(text)
        if not 0 < number < float("inf"):
            raise ValueError
        return number

    parse.__name__ = f"positive {kind.__name__}"
    return parse


def names_in(text: str) -> list[str]:
    """The names of an argument like A,B."""
    return [name.strip() for name in text.split(",") if name.strip()]


def check_writable(path: Path) -> None:
    """Find out before an hour of grading that the report cannot be written. Raises Unusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermissionError
    except OSError:
        raise Unusable(f"the report {path} cannot be written there") from None


def check_folders() -> None:
    """Find out before any work that a folder is missing which all of it needs.

    Raises KeyholeError.
    """
    try:
        Path.home()
    except RuntimeError:  # no HOME, and a user whom the machine does not know
        raise Unusable("there is no home folder, which nbgrader needs: set HOME") from None
    check_temporary_folder()
