"""Where nbgrader meets the grader: its pipeline as it is, but for the cell outputs, which come from the hidden tests."""

import functools
import logging
import re
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

from autograder import messages
from autograder.gradebook.mending import mended
from autograder.result import Result, TestResult, clamped, read_json
from autograder.submissions.folder import mend_time, misplaced, students_in
from autograder.submissions.notebooks import Expected, read_submission
from keyhole.errors import KeyholeError
from keyhole.messages import LANGUAGES, use
from keyhole.text import one_line

log = logging.getLogger(__name__)

MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "*_{}[]()#+-.!|~^=:@<>&\"'"}
GAP = "&emsp;"
# As entities they would still begin a formula in the browser, and a formula can hold a link.
FORMULA = str.maketrans({"$": "＄", "\\": "＼"})


class MendingExporter(NotebookExporter):
    """
    Reads a submission as nbgrader's sanitize step wants it: any damage is mended against the release, none stops the batch.

    nbgrader would pass over a student in whose folder no notebook has its name, or who handed in a zip; every student is to get a page.
    """

    def __init__(self, config=None, **options):
        super().__init__(config, **options)
        from autograder.hidden import NOTEBOOKS  # late: it loads every oracle

        converter = options["parent"]
        course, assignment = converter.coursedir, converter.coursedir.assignment_id
        submitted = Path(course.format_path(course.submitted_directory, ".", "."))
        names = [
            name
            for name in NOTEBOOKS
            if Path(
                course.format_path(course.release_directory, ".", assignment), f"{name}.ipynb"
            ).is_file()
        ]
        if course.notebook_id == "*" and names and submitted.is_dir():
            for student in students_in(submitted):
                folder = course.format_path(course.submitted_directory, student, assignment)
                if course.student_id not in ("*", student):
                    continue
                if (why := misplaced(Path(folder))) and not any_found(folder, names):
                    log.warning("%s: not in the gradebook: %s", one_line(student, 80), why)
                else:
                    converter.assignments[folder] = [
                        str(Path(folder, f"{name}.ipynb")) for name in names
                    ]
        for folder in converter.assignments:
            mend_time(Path(folder))

    def from_filename(self, filename, resources=None, **kw):
        if language := language_in(self.config):
            use(language)
        path, of = Path(filename), (resources or {})["nbgrader"]
        course = self.parent.coursedir
        if not path.is_relative_to(
            course.format_path(course.submitted_directory, of["student"], of["assignment"])
        ):
            return super().from_filename(
                filename, resources, **kw
            )  # its second step, on what the first one wrote
        release = Path(
            course.format_path(course.release_directory, ".", of["assignment"]), path.name
        )
        with read_submission(path.parent, {path.stem: graded_in(path.stem)}) as submission:
            notebook = mended(submission[path.stem], nbformat.read(release, as_version=4))
        return self.from_notebook_node(notebook, resources, **kw)


def any_found(folder: str | Path, notebooks: list[str]) -> bool:
    with read_submission(folder, {name: graded_in(name) for name in notebooks}) as submission:
        return any(submitted.definitions for submitted in submission.values())


def graded_in(notebook: str) -> Expected:
    from autograder.grade import expected
    from autograder.hidden import NOTEBOOKS  # late: it loads every oracle

    return expected(NOTEBOOKS[notebook])


def language_in(config) -> str | None:
    """The language that a course's configuration names for what students read."""
    return config.GradeInSandbox.get("language")


def before_grading(assignment, student, notebooks) -> None:
    """nbgrader's hook before a submission is copied."""
    remove_links(notebooks)
    from autograder.gradebook.course import have_assignment  # late: it imports this module

    have_assignment(assignment)


def remove_links(notebooks) -> None:
    """Copying a submission would follow a link, to a file of the staff's, and would stop at a pipe. What is no plain file or folder goes."""
    for folder in {Path(notebook).parent for notebook in notebooks}:
        for path in [folder] if folder.is_symlink() else folder.rglob("*"):
            try:
                # A notebook that is none is refused where it is read, with a sentence.
                if path.suffix != ".ipynb" and stat.S_IFMT(path.lstat().st_mode) not in (
                    stat.S_IFREG,
                    stat.S_IFDIR,
                ):
                    log.warning("removed %s, which is no ordinary file", path)
                    path.unlink()
            except (
                OSError
            ) as error:  # in a folder that may not be entered, which cannot be copied either
                log.warning("%s: %s", path, error)


class GradeInSandbox(NbGraderPreprocessor):
    """
    Gives each test cell its feedback and its points. Runs no kernel.

    nbgrader counts a test cell without outputs, and one whose output is no number, as full credit, and an exception here
    leaves an old score in the gradebook: so every test cell is filled with a plain finite float, and nothing is raised.
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
        """Raises NbGraderException, by which nbgrader records nothing and says why, when students' code may not run here or the model is not there."""
        super().__init__(**options)
        if self.language:
            use(self.language)
        if not self.results_directory:
            from autograder.grade import admit

            try:
                self.log.info("%s", admit(self.require_isolation, self.accept_no_isolation))
                grader().prepare()
            except KeyholeError as error:
                raise NbGraderException(str(error)) from None

    def preprocess(self, nb: NotebookNode, resources):
        where = resources["nbgrader"]
        try:
            cells, result = self.hidden_tests(where["notebook"]), self.result(**where)
        except Exception:
            log.exception("%s: %s", where["student"], where["notebook"])
            cells, result = {}, None
        for cell in nb.cells:
            if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
                self.fill(cell, cells, result)
        return nb, resources

    def hidden_tests(self, notebook: str) -> dict:
        """Grade id -> ids of its hidden tests."""
        from autograder.hidden import NOTEBOOKS

        return {
            name: [case.id for case in cases] for name, cases in NOTEBOOKS[notebook].cells.items()
        }

    def result(self, student: str, assignment: str, notebook: str, **_) -> Result:
        if self.results_directory:
            (result,) = read_json(results_file(self.results_directory, student, assignment))
            return result
        from autograder.grade import grade_submission

        course = CourseDirectory(parent=self)
        folder = Path(course.format_path(course.submitted_directory, student, assignment))
        return grade_submission(folder, student, grader(), assignment, only=notebook)

    def fill(self, cell: NotebookNode, hidden: dict, result: Result | None) -> None:
        name, most = cell.metadata.nbgrader["grade_id"], float(cell.metadata.nbgrader["points"])
        tests = [test for test in result.tests if test.id in hidden.get(name, ())] if result else []
        points = clamped(sum(test.points for test in tests), most)
        if result is None:
            sentence = messages.sentence("our_fault_here")
        elif result.status == "failed":
            sentence = result.reason
        else:
            sentence = None if tests else messages.sentence("no_tests")
        text = feedback(tests, sentence)
        if result and result.isolation:
            text += f"\n\n{messages.sentence('isolation', level=result.isolation)}"
        cell.outputs = [
            nbformat.v4.new_output(
                "display_data", data={"text/markdown": text, "text/plain": text}
            ),
            nbformat.v4.new_output(
                "execute_result", data={"text/plain": repr(points)}, execution_count=1
            ),
        ]


@functools.cache
def grader():
    """One Grader for all students of an `nbgrader autograde`: it holds the loaded model."""
    from autograder.grade import Grader
    from autograder.secret import warning

    made = Grader()
    if said := warning(made.secret):
        log.warning("%s", said)
    return made


def results_file(directory: str | Path, student: str, assignment: str) -> Path:
    return Path(directory) / student / f"{assignment}.json"


def feedback(tests: list[TestResult], sentence: object = None) -> str:
    """The tests of one cell as a Markdown table, under a sentence if there is one. Nothing in it is taken for markup."""
    lines = [escaped(sentence), ""] if sentence else []
    if tests:
        # A space at the end of each column: nbgrader's page sets the columns of a table without any between them.
        head = [str(messages.sentence(name)) for name in ("result", "points", "test", "seen")]
        lines += [f"| {f'{GAP} | '.join(head)} |", "|:--|--:|:--|:--|"]
        lines += [
            f"| {unbroken(messages.sign(t.verdict))}{GAP} |"
            f" {unbroken(f'{t.points:g} / {t.max_points:g}')}{GAP} | {escaped(t.title)}{GAP} |"
            f" {escaped(t.message)} |"
            for t in tests
        ]
    return "\n".join(lines)


def unbroken(text: str) -> str:
    """A short text that a narrow column does not break: not at a space, and not between Chinese characters."""
    return re.sub("(?<=[一-鿿])(?=[一-鿿])", "\u2060", text.replace(" ", "\u00a0"))


def escaped(text: str) -> str:
    """Text of anyone's on one line, in which HTML, Markdown, formulas, terminal and direction codes are only characters.
    A name between backquotes is shown as code."""
    line = one_line(text, 600).translate(FORMULA).translate(MARKDOWN)
    return re.sub("`([^`]*)`", r"<code>\1</code>", line).replace("`", "&#96;")
