"""`autograder board`: the challenge's board, a page for the class, from a report."""

from argparse import Namespace
from pathlib import Path

from autograder.commands.arguments import Subparsers, check_writable
from keyhole import messages
from keyhole.errors import Unusable
from keyhole.text import one_line


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "board",
        help="write the challenge's board as a page for the class",
        description=(
            "Write the challenge's board as one page that loads nothing from elsewhere. It names"
            " students by pseudonyms, which stand on their feedback pages and in the report."
        ),
    )
    parser.add_argument(
        "report", metavar="RESULTS.json", type=Path, help="the report of `autograder grade`"
    )
    parser.add_argument(
        "--out", metavar="FILE.html", type=Path, required=True, help="where to write the page"
    )
    parser.add_argument(
        "--lang",
        choices=tuple(messages.LANGUAGES),
        help="language of the page (default: that of KEYHOLE_LANG, else en)",
    )
    parser.set_defaults(run=write_board)


def write_board(chosen: Namespace) -> int:
    """Write the page; the exit status."""
    from autograder.commands.board_page import page_of
    from autograder.hidden.challenge import stored
    from autograder.result import read_json, write_text

    messages.use(chosen.lang or messages.language())
    check_writable(chosen.out.resolve())
    try:
        results = read_json(chosen.report)
    except OSError as error:
        raise Unusable(f"{chosen.report} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(
            f"{chosen.report} is no report of `autograder grade` ({one_line(error, 80)})"
        ) from None
    entries = [result.bonus for result in results if result.bonus]
    write_text(chosen.out, page_of(entries, stored()["baselines"]))
    print(f"Board: {chosen.out} ({len(entries)} handed in)")
    return 0
