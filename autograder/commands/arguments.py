"""Arguments that several commands have, and what is wrong with them."""

import os
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Callable
from pathlib import Path

from autograder.result import Result, read_json
from keyhole import messages
from keyhole.errors import Unusable
from keyhole.paths import check_temporary_folder

REPOSITORY = Path(__file__).resolve().parents[2]
Subparsers = _SubParsersAction  # argparse has no public name for the place of subcommands


def add_jobs(parser: ArgumentParser, default: int) -> None:
    """Add --jobs."""
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=positive(int),
        default=default,
        help="submissions graded at once (default %(default)s)",
    )


def cores_here() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def add_course(parser: ArgumentParser) -> None:
    """Add --course."""
    parser.add_argument(
        "--course",
        metavar="DIR",
        type=Path,
        default=REPOSITORY,
        help="the folder that holds nbgrader_config.py (default: this repository)",
    )


def add_language(parser: ArgumentParser) -> None:
    """Add --language, which may also be called --lang, as in `autograder grade`."""
    parser.add_argument(
        "--language",
        "--lang",
        choices=tuple(messages.LANGUAGES),
        help="language of what is made (default: as that of the feedback)",
    )


def read_report(path: Path) -> list[Result]:
    """The results in a report. Raises Unusable."""
    try:
        results = read_json(path)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Unusable(f"{path} is no report that `autograder grade --json` wrote") from None
    if not results:
        raise Unusable(f"the report {path} holds no result")
    return results


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
