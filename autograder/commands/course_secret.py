"""`autograder secret`: show or renew what the hidden inputs derive from."""

import sys
from argparse import Namespace

from autograder.commands.arguments import Subparsers


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "secret",
        help="show or renew the secret from which hidden inputs are drawn",
        description=(
            "The course secret: autograder/secret.key, or the file that KEYHOLE_SECRET_FILE names."
            " Keep it for a course, and out of any repository."
        ),
    )
    parser.add_argument(
        "what",
        choices=("show", "new"),
        help=(
            "show: print where the secret lies, and its fingerprint; new: put a fresh secret in its"
            " place, and keep the old one beside it"
        ),
    )
    parser.set_defaults(run=show_or_renew)


def show_or_renew(chosen: Namespace) -> int:
    """Show the course secret's fingerprint, after making a fresh secret if that is asked for."""
    from autograder import secret

    if chosen.what == "new" and (kept := secret.renew()):
        print(f"The old one is kept in {kept}: with it an earlier grading can be repeated.")
    course = secret.course_secret()
    print(f"Course secret {secret.fingerprint(course)} in {secret.secret_file()}")
    tell_if_known(course)
    return 0


def tell_if_known(course: bytes) -> None:
    """Warn of a secret that everybody knows."""
    from autograder.secret import warning

    if said := warning(course):
        print(f"Warning: {said}.", file=sys.stderr)
