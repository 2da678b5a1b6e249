"""Results into nbgrader's gradebook, graded notebooks and the students' pages.

Only one process does this at a time, however many grade.
"""

import glob
import hashlib
import json
import logging
import math
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config
from traitlets.log import get_logger

from autograder.gradebook.config import CONFIG_FILE, GRADING, REPOSITORY, config_of, unusable
from autograder.gradebook.feedback import texts_in, write_page
from autograder.gradebook.graded import Replacement, graded_notebooks, points_of, write_graded
from autograder.gradebook.intake import is_ours, take_in_whole
from autograder.gradebook.records import GradebookFailed, Records, registering
from autograder.gradebook.standings import standings
from autograder.result import Result, write_text
from autograder.submissions.notebooks import Submission
from keyhole.errors import KeyholeError
from keyhole.messages import language
from keyhole.text import one_line


def have_assignment(assignment: str, notebooks: Mapping) -> None:
    """Let the gradebook of the course in this folder know the assignment and all its notebooks.

    nbgrader grades nothing before. `notebooks` is the registry of hidden tests.
    """
    root = Path.cwd() if Path(CONFIG_FILE).is_file() else REPOSITORY
    if why := unusable(root):
        raise KeyholeError(why)
    db_url = config_of(root).CourseDirectory.db_url
    # The first to look makes the gradebook's tables.
    with registering(db_url, root / GRADING), Gradebook(db_url) as gradebook:
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

    Only the release comes from elsewhere, from grading/released, which is made here. So neither the
    class's folder nor assignments/ changes.

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
        self.source = self._folder(self.folders.source_directory, ".")
        self.records = Records(self.config, self.folders.db_url, self.folders.course_id, assignment)

    @property
    def grading(self) -> Path:
        """The folder of everything that grading makes."""
        return self.root / GRADING

    def record(self, result: Result, submission: Submission, handed_in: str) -> Path:
        """Put one graded submission into the gradebook; the folder of its page.

        handed_in: the hash of what was graded.

        The gradebook gets all of it or nothing. Raises GradebookFailed where it takes nothing just
        now, and another KeyholeError where something else is in the way.
        """
        student = result.student
        self._check_name(student)
        try:
            self._mark(student).unlink(missing_ok=True)
            released = self._folder(self.folders.release_directory, ".")
            self._show_as_submitted(student, submission, released)
            notebooks = graded_notebooks(result, submission, self.notebooks, released)
            graded = self._folder(self.folders.autograded_directory, student)
            with Replacement(graded) as new:
                write_graded(notebooks, new.folder, self.source, self.folders.ignore)
                before = texts_in(graded)
                with self.records.put(student, submission.time, notebooks, before):
                    new.put_in_place()
        except OSError as error:
            raise GradebookFailed(error) from error
        folder = self._make_page(result)
        write_text(self._mark(student), self._recorded(result, handed_in))
        return folder

    def has_recorded(self, result: Result, handed_in: str, asked: bool = True) -> bool:
        """Are this result, of what has the hash `handed_in`, and its page here already?

        asked: ask the gradebook, too, which may have been moved away. Raises GradebookFailed where
        it gives no answer.
        """
        student = result.student
        try:
            said = self._mark(student).read_text(encoding="utf-8")
        except (OSError, ValueError):
            return False
        folders = self.folders.autograded_directory, self.folders.feedback_directory
        if said != self._recorded(result, handed_in) or not all(
            self._folder(step, student).is_dir() for step in folders
        ):
            return False
        if not asked:
            return True
        scores = self.records.scores(student)
        return scores is not None and all(
            scores.get(cell) == points for cell, points in points_of(result, self.notebooks).items()
        )

    def _recorded(self, result: Result, handed_in: str) -> str:
        """What says that this result was recorded, in this language."""
        entry = result.bare().to_json()
        said = json.dumps([entry, handed_in, self.config.GradeInSandbox.language])
        return hashlib.sha256(said.encode()).hexdigest()

    def _mark(self, student: str) -> Path:
        """The file that says what of a student was recorded last."""
        return self.grading / "recorded" / student / self.assignment

    def _check_name(self, student: str) -> None:
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

    def _show_as_submitted(self, student: str, submission: Submission, released: Path) -> None:
        """Let formgrader count the submission: it counts folders of nbgrader's own."""
        folder = self._folder(self.folders.submitted_directory, student)
        if folder.resolve() != submission.handed.folder.resolve() and is_ours(folder):
            take_in_whole(submission, released, folder)

    def _make_page(self, result: Result) -> Path:
        """Make the student's page anew, in the place of all earlier ones; its folder."""
        folder = self._folder(self.folders.feedback_directory, result.student)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            known = standings(self.root, self.assignment, result.student)
            write_page(self.folders, result, known[result.student])
        except (OSError, KeyholeError) as error:
            raise GradebookFailed(error) from error
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
        url = str(config.CourseDirectory.get("db_url", "sqlite"))
        if not url.startswith("sqlite") and not config.CourseDirectory.get("course_id"):
            raise KeyholeError(
                "a gradebook on a server needs a name of the course: set"
                f" c.CourseDirectory.course_id in {self.root / CONFIG_FILE}"
            )
        config.CourseDirectory.release_directory = "grading/released"
        # `autograder grade --lang` may have chosen another language than the course's.
        config.GradeInSandbox.language = language()
        config.BaseConverter.force = True
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
            with registering(self.folders.db_url, self.grading):
                GenerateAssignment(coursedir=self.folders, config=self.config).start()
                worth = self._worth()
        except (Exception, SystemExit) as error:
            file = self.folders.db_url.startswith("sqlite")
            away = "move grading/gradebook.db away" if file else "begin a new database"
            raise KeyholeError(
                f"the gradebook does not take {self.assignment} as it is now; if graded cells were"
                f" added or removed since submissions were recorded, {away} ({self.log_file} says"
                " more)"
            ) from error
        for (name, cell), points in worth.items():
            tests = self.notebooks[name].cells.get(cell)
            if tests and not math.isclose(sum(test.points for test in tests), points):
                raise KeyholeError(
                    f"cell {cell} of {name}.ipynb is worth {points:g} points, its hidden tests are"
                    " not"
                )

    def _worth(self) -> dict[tuple[str, str], float]:
        """The points of each graded cell in the gradebook, by notebook and grade id."""
        with Gradebook(self.folders.db_url) as gradebook:
            return {
                (name, cell.name): cell.max_score
                for name in self.notebooks
                for cell in gradebook.find_notebook(name, self.assignment).grade_cells
            }

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
