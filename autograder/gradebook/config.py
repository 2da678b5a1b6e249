"""A course's nbgrader_config.py, and the files of results that it names."""

from pathlib import Path

from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

REPOSITORY = Path(__file__).resolve().parents[2]
CONFIG_FILE = "nbgrader_config.py"


def config_of(root: str | Path) -> Config:
    """The configuration of the course in a folder. Raises whatever that program raises."""
    return PyFileConfigLoader(CONFIG_FILE, path=str(root)).load_config()


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


def results_file(directory: str | Path, student: str, assignment: str) -> Path:
    """Where the result of one submission lies, as JSON."""
    return Path(directory) / student / f"{assignment}.json"
