"""The hooks that nbgrader calls, by the names that nbgrader_config.py gives them.

nbgrader's pipeline stays as it is; but the outputs of test cells come from the hidden tests, and
every notebook is mended first.
"""

import atexit
import functools
import logging
import stat
from pathlib import Path

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import is_grade, is_solution
from traitlets import Bool, CaselessStrEnum, Enum, Unicode

from autograder import hidden, messages
from autograder.grade import Grader, admit, grade_read, submission_in
from autograder.gradebook.config import language_in, results_file
from autograder.gradebook.course import have_assignment
from autograder.gradebook.mending import mended
from autograder.gradebook.page import outputs_of
from autograder.result import Result, clamped, read_json
from autograder.secret import warning
from autograder.submissions.folder import misplaced, students_in
from autograder.submissions.latest import LatestSubmission
from autograder.submissions.timestamp import mend_time
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES, use
from keyhole.text import one_line

log = logging.getLogger(__name__)

# nbgrader's stages ask for the same submission, one notebook after the other.
LATEST = LatestSubmission(lambda folder: submission_in(folder, hidden.NOTEBOOKS))
atexit.register(LATEST.close)


class MendingExporter(NotebookExporter):
    """Reads a submission as nbgrader's sanitize step wants it.

    Any damage is mended against the release, and none stops the batch. nbgrader alone would pass
    over a student in whose folder no notebook has its name, or who handed in a zip. Here every
    student gets a page.
    """

    def __init__(self, config=None, **options):
        super().__init__(config, **options)
        if language := language_in(self.config):
            use(language)
        converter = options["parent"]
        course, assignment = converter.coursedir, converter.coursedir.assignment_id
        release = Path(course.format_path(course.release_directory, ".", assignment))
        names = [name for name in hidden.NOTEBOOKS if (release / f"{name}.ipynb").is_file()]
        submitted = Path(course.format_path(course.submitted_directory, ".", "."))
        if course.notebook_id == "*" and names and submitted.is_dir():
            for student in students_in(submitted):
                if course.student_id in ("*", student):
                    self._add(converter, student, names)
        for folder in converter.assignments:
            mend_time(Path(folder))

    def _add(self, converter, student: str, names: list[str]) -> None:
        """Have nbgrader take all notebooks of a student, whatever lies in the folder."""
        course = converter.coursedir
        folder = Path(course.format_path(course.submitted_directory, student, course.assignment_id))
        why = misplaced(folder)
        if why and not any(LATEST.of(folder)[name].definitions for name in names):
            log.warning("%s: not in the gradebook: %s", one_line(student, 80), why)
        else:
            converter.assignments[str(folder)] = [str(folder / f"{name}.ipynb") for name in names]

    def from_filename(self, filename: str, resources: dict | None = None, **kw: object) -> tuple:
        """The mended notebook, as nbconvert's exporters return it."""
        path, of = Path(filename), (resources or {})["nbgrader"]
        course = self.parent.coursedir
        submitted = course.format_path(course.submitted_directory, of["student"], of["assignment"])
        if not path.is_relative_to(submitted):
            # nbgrader's second step reads what the first one wrote.
            return super().from_filename(filename, resources, **kw)
        release = Path(course.format_path(course.release_directory, ".", of["assignment"]))
        notebook = mended(
            LATEST.of(path.parent)[path.stem], nbformat.read(release / path.name, as_version=4)
        )
        return self.from_notebook_node(notebook, resources, **kw)


def before_grading(assignment: str, student: str, notebooks: list[str]) -> None:
    """nbgrader's hook before a submission is copied."""
    remove_links(notebooks)
    have_assignment(assignment, hidden.NOTEBOOKS)


def remove_links(notebooks: list[str]) -> None:
    """Remove what is no plain file or folder from the folders of these notebooks.

    To copy a submission nbgrader would follow a link, even to a file of the staff's, and would stop
    at a pipe. A notebook that is none stays: it is refused where it is read, with a sentence.
    """
    plain = stat.S_IFREG, stat.S_IFDIR
    for folder in {Path(notebook).parent for notebook in notebooks}:
        for path in [folder] if folder.is_symlink() else folder.rglob("*"):
            try:
                if path.suffix != ".ipynb" and stat.S_IFMT(path.lstat().st_mode) not in plain:
                    log.warning("removed %s, which is no ordinary file", path)
                    path.unlink()
            except OSError as error:
                # In a folder that may not be entered; nbgrader cannot copy that either.
                log.warning("%s: %s", path, error)


class GradeInSandbox(NbGraderPreprocessor):
    """Gives each test cell its feedback and its points. Runs no kernel.

    nbgrader gives full credit for a test cell without outputs, and for one whose output is no
    number. An exception here leaves an old score in the gradebook. So every test cell is filled
    with a plain finite float, and nothing is raised.
    """

    results_directory = Unicode(
        "",
        help=(
            "Folder with <student>/<assignment>.json as `autograder grade` writes them; without"
            " one, the notebook is graded here."
        ),
    ).tag(config=True)
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
        if not self.results_directory:
            try:
                self.log.info("%s", admit(self.require_isolation, self.accept_no_isolation))
                grader().prepare()
            except KeyholeError as error:
                raise NbGraderException(str(error)) from None

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """Fill the test cells of one notebook."""
        where = resources["nbgrader"]
        try:
            tests, result = self.hidden_tests(where["notebook"]), self.result(**where)
        except Exception:
            log.exception("%s: %s", where["student"], where["notebook"])
            tests, result = {}, None
        for cell in nb.cells:
            if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
                self.fill(cell, tests, result)
        return nb, resources

    def hidden_tests(self, notebook: str) -> dict[str, list[str]]:
        """Grade id -> ids of its hidden tests."""
        cells = hidden.NOTEBOOKS[notebook].cells
        return {name: [case.id for case in cases] for name, cases in cells.items()}

    def result(self, student: str, assignment: str, notebook: str, **_: object) -> Result:
        """The result of `autograder grade`, if that is what runs; else the notebook is graded."""
        if self.results_directory:
            (result,) = read_json(results_file(self.results_directory, student, assignment))
            return result
        course = CourseDirectory(parent=self)
        folder = Path(course.format_path(course.submitted_directory, student, assignment))
        return grade_read(LATEST.of(folder), student, grader(), assignment, only=notebook)

    def fill(self, cell: NotebookNode, hidden_tests: dict, result: Result | None) -> None:
        """Put the tests of one cell and its points into its outputs."""
        name, most = cell.metadata.nbgrader["grade_id"], float(cell.metadata.nbgrader["points"])
        ids = hidden_tests.get(name, ())
        tests = [test for test in result.tests if test.id in ids] if result else []
        if result is None:
            heading = messages.sentence("our_fault_here")
        elif result.status == "failed":
            heading = result.reason
        else:
            heading = None if tests else messages.sentence("no_tests")
        points = clamped(sum(test.points for test in tests), most)
        cell.outputs = outputs_of(tests, heading, result and result.isolation, points)


@functools.cache
def grader() -> Grader:
    """One Grader for all students of an `nbgrader autograde`: it holds the loaded model."""
    made = Grader()
    if said := warning(made.secret):
        log.warning("%s", said)
    return made
