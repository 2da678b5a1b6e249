"""A course's nbgrader_config.py."""

import os
import re
from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from keyhole.errors import KeyholeError
from keyhole.paths import check_temporary_folder

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG_FILE = "nbgrader_config.py"
GRADING = "grading"  # the folder, beside that file, of everything that grading makes
# nbgrader takes the path of a course for a pattern of file names, and for a part of an address.
MISREAD = re.compile(r"[*?[]|%[0-9A-Fa-f]{2}")


def config_of(root: str | Path) -> Config:
    """The configuration of the course in a folder. Raises whatever that program raises."""
    return PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config()


def unusable(root: str | Path) -> str | None:
    """Why nbgrader could not work in the course's folder; None where it can.

    Makes the folder for everything that grading makes.
    """
    if misread := MISREAD.search(str(root)):
        return (
            f"nbgrader misreads the {misread.group()!r} in {root}: rename that folder, or move the"
            " course to another one"
        )
    grading = Path(root, GRADING)
    try:
        check_temporary_folder()
        grading.mkdir(exist_ok=True)
        if not os.access(grading, os.W_OK | os.X_OK):
            raise PermissionError(None, "it is read-only for you")
    except KeyholeError as error:
        return str(error)
    except OSError as error:
        return (
            f"nothing can be written to {grading} ({error.strerror}): copy the course to a folder"
            " of your own"
        )
    return None


def language_in(config: Config) -> str | None:
    """The language that a course's configuration names for what students read."""
    return config.GradeInSandbox.get("language")


def language_of(root: str | Path) -> str | None:
    """The language that the course in a folder names for its students.

    None where it names none, or cannot be read. In the latter case Course reports the error, if the
    course is needed at all.
    """
    try:
        return language_in(config_of(root))
    except Exception:  # a configuration is a program, and may raise anything
        return None
