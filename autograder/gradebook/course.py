"""Results into nbgrader's gradebook, autograded notebooks and feedback pages, by nbgrader's own converters, in this process."""

import glob
import logging
import math
import shutil
import stat
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.exc import OperationalError
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader
from traitlets.log import get_logger

from autograder.grade import expected
from autograder.gradebook.mending import mended
from autograder.gradebook.plugin import language_in, results_file
from autograder.result import Result, write_json
from autograder.submissions.folder import BESIDE, TIMESTAMP, time_in
from autograder.submissions.notebooks import read_submission
from keyhole.errors import KeyholeError
from keyhole.messages import language

REPOSITORY = Path(__file__).resolve().parents[2]
LARGEST = 64 * 2**20
TRIES, PAUSE = (
    3,
    2.0,
)  # at a locked gradebook; each try itself waits as long as nbgrader_config.py says


def have_assignment(assignment: str) -> None:
    """Let the gradebook of the course in this folder know the assignment, where it or one of its notebooks is new: nbgrader grades nothing before."""
    from autograder.hidden import NOTEBOOKS  # late: it loads every oracle

    root = Path.cwd() if Path("nbgrader_config.py").is_file() else REPOSITORY
    config = config_of(root)
    with Gradebook(config.CourseDirectory.db_url) as gradebook:
        known = {
            notebook.name
            for each in gradebook.assignments
            if each.name == assignment
            for notebook in each.notebooks
        }
    if not NOTEBOOKS.keys() <= known:
        Course(assignment, NOTEBOOKS, root)


def config_of(root: str | Path) -> Config:
    """The configuration of the course in a folder."""
    return PyFileConfigLoader("nbgrader_config.py", path=str(root)).load_config()


def language_of(root: str | Path) -> str | None:
    """The language that the course in a folder names for its students; None where it names none, or cannot be read."""
    try:
        return language_in(config_of(root))
    except (
        Exception
    ):  # whatever a configuration, which is a program, may raise: Course says so where it is needed
        return None


class Course:
    """
    The course's nbgrader folders: where nbgrader_config.py of `root` puts them, except that submissions are taken from
    grading/intake and the release from grading/released, both made here, so that neither the class's folder nor assignments/ changes.

    `notebooks` is the registry of hidden tests. Raises KeyholeError if the course has no such assignment, the gradebook
    cannot take it, or a cell's points are not those of its tests (then gradebook and report would disagree).
    """

    def __init__(self, assignment: str, notebooks: Mapping, root: str | Path = REPOSITORY):
        self.assignment, self.notebooks, self.root = assignment, notebooks, Path(root).resolve()
        self.config = self._config()
        self.folders = CourseDirectory(config=self.config, assignment_id=assignment)
        self.log_file = self.grading / "nbgrader.log"
        with self._logged():
            self._register()
        self._autograde = _Reused.of(Autograde, self.folders, self.config)
        self._feedback = _Reused.of(GenerateFeedback, self.folders, self.config)

    @property
    def grading(self) -> Path:
        return self.root / "grading"

    def record(self, result: Result, folder: Path) -> Path:
        """One graded submission into the gradebook; the folder of its feedback pages. Raises KeyholeError."""
        student = result.student
        if glob.escape(student) != student:
            raise KeyholeError(
                f"nbgrader takes {student!r} for a pattern: rename the folder, without any of * ? ["
            )
        self._take_in(folder, student)
        write_json(
            results_file(self.config.GradeInSandbox.results_directory, student, self.assignment),
            [result],
        )
        self.folders.student_id = student
        for left in reversed(range(TRIES)):
            try:
                with self._logged():
                    self._autograde.start()
                    self._feedback.start()
            except Exception as error:
                # The chain of causes: nbgrader wraps what it meets, and a locked gradebook may be free again soon.
                if left and any(
                    isinstance(cause, OperationalError) for cause in (error, error.__context__)
                ):
                    time.sleep(PAUSE)
                    continue
                raise KeyholeError(
                    f"nbgrader could not record {student}: {self.log_file} says why"
                ) from error
            return Path(
                self.folders.format_path(self.folders.feedback_directory, student, self.assignment)
            )

    def _config(self) -> Config:
        file = self.root / "nbgrader_config.py"
        if not file.is_file():
            raise KeyholeError(
                f"there is no nbgrader_config.py in {self.root}, so there is no gradebook to"
                " write to"
            )
        config = config_of(self.root)
        config.CourseDirectory.submitted_directory = "grading/intake"
        config.CourseDirectory.release_directory = "grading/released"
        config.GradeInSandbox.results_directory = str(self.grading / "results")
        config.GradeInSandbox.language = (
            language()
        )  # which `autograder grade --lang` may have chosen
        config.BaseConverter.force = True
        config.Autograde.exporter_class = (  # what is taken in is mended already
            "nbconvert.exporters.NotebookExporter"
        )
        return config

    def _register(self) -> None:
        """Have the gradebook know the assignment as it is now."""
        source = Path(self.folders.format_path(self.folders.source_directory, ".", self.assignment))
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
                    if tests and not math.isclose(
                        sum(test.points for test in tests), cell.max_score
                    ):
                        raise KeyholeError(
                            f"cell {cell.name} of {name}.ipynb is worth {cell.max_score:g} points,"
                            " its hidden tests are not"
                        )

    def _take_in(self, folder: Path, student: str) -> None:
        """A copy of what counts in a submission: its notebooks, mended so that each student gets a page, and plain files of known names."""
        intake, released = (
            Path(self.folders.format_path(step, name, self.assignment))
            for step, name in (
                (self.folders.submitted_directory, student),
                (self.folders.release_directory, "."),
            )
        )
        shutil.rmtree(intake, ignore_errors=True)
        intake.mkdir(parents=True)
        with read_submission(
            folder, {name: expected(hidden) for name, hidden in self.notebooks.items()}
        ) as submission:
            for name, submitted in submission.items():
                notebook = mended(
                    submitted, nbformat.read(released / f"{name}.ipynb", as_version=4)
                )
                nbformat.write(notebook, intake / f"{name}.ipynb")
            if folder.is_symlink():
                return
            folders = dict.fromkeys(
                [folder, *(submitted.folder for submitted in submission.values())]
            )
            for path in (each / name for each in folders for name in BESIDE):
                if _ordinary(path):
                    shutil.copyfile(path, intake / path.name, follow_symlinks=False)
            if time := next(filter(None, map(time_in, folders)), None):
                (intake / TIMESTAMP).write_text(time, encoding="utf-8")

    @contextmanager
    def _logged(self):
        """Send nbgrader's chatter to a file."""
        logger = get_logger()
        handler, old = (
            logging.FileHandler(self.log_file),
            (logger.handlers[:], logger.level, logger.propagate),
        )
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
        try:
            yield
        except Exception:
            logger.exception("stopped here")
            raise
        finally:
            logger.handlers, logger.propagate = old[0], old[2]
            logger.setLevel(old[1])
            handler.close()


class _Reused:
    """Mixed into a converter: one exporter, with its compiled templates, for all students."""

    @classmethod
    def of(cls, converter, folders: CourseDirectory, config: Config):
        return type(converter.__name__, (cls, converter), {})(coursedir=folders, config=config)

    def start(self) -> None:
        if not self.trait_has_value("exporter"):  # nbgrader's start makes it
            return super().start()
        self.init_notebooks()
        self.convert_notebooks()


def _ordinary(path: Path) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST
