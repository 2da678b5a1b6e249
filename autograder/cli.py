"""The command `autograder`: what teaching assistants run."""

import argparse
import importlib.metadata
import os
import sys

from autograder.commands import (
    board,
    class_report,
    collect,
    course_secret,
    export,
    feedback,
    grade_class,
    gradescope,
    record,
    remake,
    validity,
)
from keyhole.errors import KeyholeError, Unusable
from keyhole.terminal import print_anything

UNUSABLE = 2  # exit status for arguments that nothing can be done with
# Threads that wait leave the processor to others. OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Each adds one subcommand, whose `run` takes the arguments and returns an exit status.
COMMANDS = [
    collect,
    grade_class,
    record,
    feedback,
    class_report,
    board,
    export,
    gradescope,
    validity,
    course_secret,
    remake,
]


def version() -> str:
    """The version that is installed."""
    try:
        return importlib.metadata.version("keyhole-homework")
    except importlib.metadata.PackageNotFoundError:
        return "of a folder that is not installed"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    print_anything()
    parser = argparse.ArgumentParser(
        prog="autograder", description="Grade a class's notebooks, and test the grader itself."
    )
    parser.add_argument("--version", action="version", version=f"Keyhole {version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen)
    except Unusable as error:
        print(f"autograder: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyholeError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "autograder: stopped; what was finished is kept: the same command goes on from here",
            file=sys.stderr,
        )
        return 130


if __name__ == "__main__":
    sys.exit(main())
