"""The hooks that nbgrader calls, by the names that nbgrader_config.py gives them.

nbgrader's pipeline stays as it is; but it reads a submission as we took it in, and the outputs of
test cells come from the hidden tests.
"""

import atexit
import functools
import logging
from fnmatch import fnmatchcase
from pathlib import Path

from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool, CaselessStrEnum, Enum

from autograder import hidden
from autograder.grade import Grader, admit, grade_read, submission_in
from autograder.gradebook.config import language_in
from autograder.gradebook.course import have_assignment
from autograder.gradebook.graded import fill
from autograder.gradebook.intake import Intake
from autograder.hidden.case import NotebookTests
from autograder.result import Result, name_shown
from autograder.secret import warning
from autograder.submissions.folder import misplaced, students_in, time_of
from autograder.submissions.latest import LatestSubmission
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES, use

log = logging.getLogger(__name__)

# nbgrader's stages ask for the same submission, one notebook after the other.
LATEST = LatestSubmission(lambda folder: submission_in(folder, hidden.NOTEBOOKS))
INTAKE = Intake(LATEST.of)
atexit.register(LATEST.close)
atexit.register(INTAKE.close)


class MendingExporter(NotebookExporter):
    """Has nbgrader read what counts of each submission, and nothing from a student's own folder.

    nbgrader alone would pass over a student in whose folder no notebook has its name, or who handed
    in a zip, and would stop at some damages. Here every student gets a page.
    """

    def __init__(self, config=None, **options):
        """Raises NbGraderException where nothing was released, or nothing can be read."""
        super().__init__(config, **options)
        if language := language_in(self.config):
            use(language)
        converter = options["parent"]
        course, assignment = converter.coursedir, converter.coursedir.assignment_id
        released = Path(course.format_path(course.release_directory, ".", assignment))
        names = [name for name in hidden.NOTEBOOKS if (released / f"{name}.ipynb").is_file()]
        submitted = Path(course.format_path(course.submitted_directory, ".", "."))
        try:
            if not names:
                raise KeyholeError(
                    f"{released} has none of the notebooks {', '.join(hidden.NOTEBOOKS)}: run"
                    f" nbgrader generate_assignment {assignment}"
                )
            students = students_in(submitted)
        except KeyholeError as error:
            log.error("%s", error)
            raise NbGraderException(str(error)) from None
        converter.coursedir, converter.assignments = INTAKE.open(course), {}
        wanted = [name for name in names if fnmatchcase(name, course.notebook_id)]
        for student in students:
            if fnmatchcase(student, course.student_id):
                folder = Path(course.format_path(course.submitted_directory, student, assignment))
                self._add(converter, student, folder, released, wanted)

    def _add(
        self, converter, student: str, submitted: Path, released: Path, names: list[str]
    ) -> None:
        """Have nbgrader take these notebooks of a student, whatever lies in the folder."""
        why = misplaced(submitted)
        if why and not any(each.definitions for each in LATEST.of(submitted).values()):
            log.warning("%s: not in the gradebook: %s", name_shown(student), why)
            return
        course = converter.coursedir
        folder = Path(course.format_path(course.submitted_directory, student, course.assignment_id))
        INTAKE.add(folder, submitted, released, time_of(submitted))
        converter.assignments[str(folder)] = [str(folder / f"{name}.ipynb") for name in names]


def before_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader's hook before the submission of these notebooks is copied."""
    for folder in {Path(notebook).parent for notebook in notebooks}:
        INTAKE.fill(folder)
    have_assignment(assignment, hidden.NOTEBOOKS)


class GradeInSandbox(NbGraderPreprocessor):
    """Gives each test cell its feedback and its points. Runs no kernel.

    nbgrader gives full credit for a test cell without outputs, and for one whose output is no
    number. An exception here leaves an old score in the gradebook. So every test cell is filled
    with a plain finite float, and nothing is raised.
    """

    require_isolation = CaselessStrEnum(
        "ABCDE", "E", help="A to E: stop rather than run students' code at a lower level."
    ).tag(config=True)
    accept_no_isolation = Bool(
        False,
        help="Run hidden tests even at level E, where code can read every file that you can read.",
    ).tag(config=True)
    language = Enum(
        (None, *LANGUAGES),
        None,
        help="Language of what students read; without one, that of KEYHOLE_LANG, else English.",
    ).tag(config=True)

    def __init__(self, **options):
        """Raises NbGraderException when students' code may not run here, or there is no model.

        By this exception nbgrader records nothing, and says why.
        """
        super().__init__(**options)
        if self.language:
            use(self.language)
        try:
            self.log.info("%s", admit(self.require_isolation, self.accept_no_isolation))
            grader().prepare()
        except KeyholeError as error:
            raise NbGraderException(str(error)) from None

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Fill the test cells of one notebook."""
        where = resources["nbgrader"]
        try:
            tests = hidden.NOTEBOOKS[where["notebook"]]
            result = self.result(**where)
        except Exception:
            log.exception("%s: %s", where["student"], where["notebook"])
            tests, result = NotebookTests({}), None
        fill(nb, tests, result)
        return nb, resources

    def result(self, student: str, assignment: str, notebook: str, **_: object) -> Result:
        """The notebook, graded."""
        course = CourseDirectory(parent=self)
        folder = Path(course.format_path(course.submitted_directory, student, assignment))
        return grade_read(LATEST.of(folder), student, grader(), assignment, only=notebook)


@functools.cache
def grader() -> Grader:
    """One Grader for all students of an `nbgrader autograde`: it holds the loaded model."""
    made = Grader()
    if said := warning(made.secret):
        log.warning("%s", said)
    return made
