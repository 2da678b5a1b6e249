"""Results into nbgrader's gradebook, autograded notebooks and the students' pages.

nbgrader's own converters do all but the pages, in this process.
"""

import glob
import logging
import math
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, BaseConverter, GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError
from traitlets.config import Config
from traitlets.log import get_logger

from autograder.gradebook.config import (
    CONFIG_FILE,
    GRADING,
    REPOSITORY,
    config_of,
    results_file,
    unusable,
)
from autograder.gradebook.feedback import write_page
from autograder.gradebook.intake import take_in
from autograder.gradebook.standings import standings
from autograder.result import Result, write_json
from autograder.submissions.notebooks import Submission
from keyhole.errors import KeyholeError
from keyhole.messages import language
from keyhole.text import one_line

OUTER_BLANKS = re.compile(r"^\s+|\s+$")
# At a locked gradebook. Each try itself waits as long as nbgrader_config.py says.
TRIES, PAUSE = 3, 2.0


def have_assignment(assignment: str, notebooks: Mapping) -> None:
    """Let the gradebook of the course in this folder know the assignment and all its notebooks.

    nbgrader grades nothing before. `notebooks` is the registry of hidden tests.
    """
    root = Path.cwd() if Path(CONFIG_FILE).is_file() else REPOSITORY
    config = config_of(root)
    with Gradebook(config.CourseDirectory.db_url) as gradebook:
        known = {
            notebook.name
            for each in gradebook.assignments
            if each.name == assignment
            for notebook in each.notebooks
        }
    if not notebooks.keys() <= known:
        Course(assignment, notebooks, root)


@contextmanager
def alone(root: str | Path) -> Iterator[None]:
    """Hold the course in this folder; a second grading waits for the first, and says so.

    Two at once would take in one student each, and look for the other's files. Raises KeyholeError
    where nothing can be written.
    """
    if why := unusable(root):
        raise KeyholeError(why)
    lock = FileLock(Path(root, GRADING, ".lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        print(f"Another grading is at work in {root}: waiting for it.", file=sys.stderr, flush=True)
        held = lock.acquire()
    except OSError as error:
        raise KeyholeError(f"nothing can be written to {lock.lock_file}: {error}") from error
    with held:
        yield


class Course:
    """The course's nbgrader folders, where nbgrader_config.py of `root` puts them.

    Only submissions and the release come from elsewhere: from grading/intake and grading/released,
    both made here. So neither the class's folder nor assignments/ changes.

    `notebooks` is the registry of hidden tests. Raises KeyholeError if the course has no such
    assignment, if the gradebook cannot take it, or if a cell's points are not those of its tests:
    then gradebook and report would disagree.
    """

    def __init__(self, assignment: str, notebooks: Mapping, root: str | Path = REPOSITORY):
        self.assignment, self.notebooks, self.root = assignment, notebooks, Path(root).resolve()
        self.config = self._config()
        self.folders = CourseDirectory(config=self.config, assignment_id=assignment)
        self.log_file = self.grading / "nbgrader.log"
        with self._logged():
            self._register()
        self._autograde = _Reused.of(Autograde, self.folders, self.config)

    @property
    def grading(self) -> Path:
        """The folder of everything that grading makes."""
        return self.root / GRADING

    def record(self, result: Result, submission: Submission) -> Path:
        """Put one graded submission into the gradebook; the folder of its feedback page.

        Raises KeyholeError.
        """
        student = result.student
        if glob.escape(student) != student:
            raise KeyholeError(
                f"nbgrader takes {student!r} for a pattern: rename the folder, without any of * ? ["
            )
        try:
            student.encode()
        except UnicodeEncodeError:
            raise KeyholeError(
                f"the folder's name {student!a} is not in UTF-8: rename it, and grade in a UTF-8"
                " locale"
            ) from None
        released = self._folder(self.folders.release_directory, ".")
        take_in(submission, released, self._folder(self.folders.submitted_directory, student))
        results = self.config.GradeInSandbox.results_directory
        write_json(results_file(results, student, self.assignment), [result])
        self.folders.student_id = _as_pattern(student)
        for left in reversed(range(TRIES)):
            try:
                with self._logged():
                    self._autograde.start()
            except Exception as error:
                # nbgrader wraps what it meets. A locked gradebook may be free again soon.
                causes = error, error.__context__
                if left and any(isinstance(cause, OperationalError) for cause in causes):
                    time.sleep(PAUSE)
                    continue
                raise KeyholeError(
                    f"nbgrader could not record {student}: {self.log_file} says why"
                ) from error
            return self._make_page(result)

    def _make_page(self, result: Result) -> Path:
        """Make the student's page anew, in the place of all earlier ones; its folder."""
        folder = self._folder(self.folders.feedback_directory, result.student)
        shutil.rmtree(folder, ignore_errors=True)
        known = standings(self.root, self.assignment, result.student)
        try:
            write_page(self.folders, result, known[result.student])
        except OSError as error:
            raise KeyholeError(f"no page can be written to {folder}: {error.strerror}") from None
        return folder

    def _config(self) -> Config:
        if not (self.root / CONFIG_FILE).is_file():
            raise KeyholeError(
                f"there is no {CONFIG_FILE} in {self.root}, so there is no gradebook to write to"
            )
        if why := unusable(self.root):
            raise KeyholeError(why)
        try:
            config = config_of(self.root)
        except Exception as error:  # a configuration is a program, and may raise anything
            raise KeyholeError(
                f"{self.root / CONFIG_FILE} fails with {type(error).__name__}: {one_line(error)}"
            ) from error
        config.CourseDirectory.submitted_directory = "grading/intake"
        config.CourseDirectory.release_directory = "grading/released"
        config.GradeInSandbox.results_directory = str(self.grading / "results")
        # `autograder grade --lang` may have chosen another language than the course's.
        config.GradeInSandbox.language = language()
        config.BaseConverter.force = True
        # What is taken in is mended already.
        config.Autograde.exporter_class = "nbconvert.exporters.NotebookExporter"
        return config

    def _register(self) -> None:
        """Have the gradebook know the assignment as it is now."""
        source = self._folder(self.folders.source_directory, ".")
        missing = [name for name in self.notebooks if not (source / f"{name}.ipynb").is_file()]
        if missing:
            raise KeyholeError(
                f"{source} has no {', '.join(missing)}.ipynb, so there is no gradebook to write to"
            )
        try:
            GenerateAssignment(coursedir=self.folders, config=self.config).start()
        except (Exception, SystemExit) as error:
            raise KeyholeError(
                f"the gradebook does not take {self.assignment} as it is now; if graded cells were"
                " added or removed since submissions were recorded, move grading/gradebook.db away"
                f" ({self.log_file} says more)"
            ) from error
        with Gradebook(self.folders.db_url) as gradebook:
            for name, hidden in self.notebooks.items():
                for cell in gradebook.find_notebook(name, self.assignment).grade_cells:
                    tests = hidden.cells.get(cell.name)
                    points = sum(test.points for test in tests or ())
                    if tests and not math.isclose(points, cell.max_score):
                        raise KeyholeError(
                            f"cell {cell.name} of {name}.ipynb is worth {cell.max_score:g} points,"
                            " its hidden tests are not"
                        )

    def _folder(self, step: str, student: str) -> Path:
        """One student's folder of a step of nbgrader's."""
        return Path(self.folders.format_path(step, student, self.assignment))

    @contextmanager
    def _logged(self):
        """Send nbgrader's chatter to a file."""
        logger = get_logger()
        old = logger.handlers[:], logger.level, logger.propagate
        handler = logging.FileHandler(self.log_file, encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
        try:
            yield
        except Exception:
            logger.exception("stopped here")
            raise
        finally:
            logger.handlers, level, logger.propagate = old
            logger.setLevel(level)
            handler.close()


class _Reused:
    """Mixed into a converter: all students share one exporter with its compiled templates."""

    @classmethod
    def of(cls, converter: type, folders: CourseDirectory, config: Config) -> BaseConverter:
        """Such a converter for the course in these folders."""
        return type(converter.__name__, (cls, converter), {})(coursedir=folders, config=config)

    def start(self) -> None:
        if not self.trait_has_value("exporter"):  # nbgrader's start makes it
            return super().start()
        self.init_notebooks()
        self.convert_notebooks()


def _as_pattern(student: str) -> str:
    """A pattern for nbgrader that fits this student alone.

    nbgrader takes the blanks at both ends of a pattern away. In brackets they stay.
    """
    return OUTER_BLANKS.sub(lambda blanks: "".join(f"[{b}]" for b in blanks[0]), student)
