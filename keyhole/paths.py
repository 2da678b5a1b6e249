"""Where Keyhole keeps what it reads (data/) and what it fetched (the cache); temporary files."""

import os
import tempfile
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.messages import problem

# The student's own fact: the name of the graded part, and what is handed in beside notebook 3.
OWN_FACT = "my_edit"
OWN_FILES = FACT_FILE, EDIT_FILE = "my_fact.json", "my_edit.safetensors"
CHALLENGE_FILE = "my_edits.safetensors"


def data_folder() -> Path:
    """The kit's data/ folder; the environment variable KEYHOLE_DATA points elsewhere.

    In the wheel for Colab it lies within the package, else beside it.
    """
    package = Path(__file__).resolve().parent
    within = package / "data"
    beside = package.parent / "data"
    return Path(os.environ.get("KEYHOLE_DATA") or (within if within.is_dir() else beside))


def cache_folder() -> Path:
    """Where the fetched model is kept; the environment variable KEYHOLE_CACHE points elsewhere.

    Raises KeyholeError where there is no such variable and no home folder.
    """
    try:
        folder = os.environ.get("KEYHOLE_CACHE") or Path.home() / ".cache" / "keyhole"
        return Path(folder).expanduser()
    except RuntimeError:  # no HOME, and a user whom the machine does not know
        raise KeyholeError(problem("no_home")) from None


def check_temporary_folder() -> None:
    """Raises KeyholeError where no temporary folder can be written."""
    try:
        tempfile.gettempdir()
    except OSError:
        raise KeyholeError(problem("no_temporary_folder")) from None
