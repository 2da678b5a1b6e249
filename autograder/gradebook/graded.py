"""The notebooks of a graded submission: the student's text under the outputs of the hidden tests.

nbgrader shows them in formgrader, and makes its pages from them.
"""

import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import find_all_files, is_grade, is_solution

from autograder import messages
from autograder.gradebook.mending import mended
from autograder.gradebook.page import challenge_cell, outputs_of
from autograder.result import Result, TestResult, clamped
from autograder.submissions.notebooks import Submission
from keyhole.notebooks.definitions import grade_id

if TYPE_CHECKING:  # it loads every oracle
    from autograder.hidden.case import NotebookTests

READ_ONLY = 0o444  # as nbgrader leaves what it graded


def graded_notebooks(
    result: Result, submission: Submission, tests: Mapping, released: Path
) -> dict[str, NotebookNode]:
    """Each notebook of a submission, mended against `released`, with the points of its tests.

    `tests` is the registry of hidden tests.
    """
    notebooks = {}
    for name, submitted in submission.items():
        notebook = mended(submitted, nbformat.read(released / f"{name}.ipynb", as_version=4))
        fill(notebook, tests[name], result)
        notebooks[name] = notebook
    return notebooks


def fill(notebook: NotebookNode, tests: "NotebookTests", result: Result | None) -> None:
    """Put the tests of every test cell, and its points, into the cell's outputs.

    Where the challenge is handed in beside the notebook, a last cell tells of it. Without a
    `result` the page says that the grader failed.
    """
    for cell in notebook.cells:
        if is_grade(cell) and not is_solution(cell) and cell.cell_type == "code":
            name, most = grade_id(cell), float(cell.metadata.nbgrader["points"])
            found = _of_cell(result, tests.cells.get(name, ()))
            points = clamped(sum(test.points for test in found), most)
            level = result and result.isolation
            cell.outputs = outputs_of(found, _heading(result, found), level, points)
    if result and result.bonus and getattr(tests, "challenge", False):
        notebook.cells.append(challenge_cell(result.bonus))


def _of_cell(result: Result | None, cases: Iterable) -> list[TestResult]:
    ids = {case.id for case in cases}
    return [test for test in result.tests if test.id in ids] if result else []


def _heading(result: Result | None, tests: Collection[TestResult]) -> object:
    if result is None:
        return messages.sentence("our_fault_here")
    if result.status == "failed":
        return result.reason
    return None if tests else messages.sentence("no_tests")


def points_of(result: Result, tests: Mapping) -> dict[tuple[str, str], float]:
    """The points of each test cell, by notebook and grade id."""
    given = {test.id: test.points for test in result.tests}
    most = {test.id: test.max_points for test in result.tests}
    return {
        (name, cell): clamped(
            sum(given.get(case.id, 0.0) for case in cases),
            sum(most.get(case.id, 0.0) for case in cases),
        )
        for name, hidden in tests.items()
        for cell, cases in hidden.cells.items()
    }


def write_graded(
    notebooks: Mapping[str, NotebookNode], folder: Path, source: Path, ignore: list[str]
) -> None:
    """Write graded notebooks into `folder`, with the assignment's other files from `source`.

    ignore: patterns of files of `source` that are left out. Raises OSError.
    """
    for path in find_all_files(str(source), [*ignore, "*.ipynb"]):
        there = folder / os.path.relpath(path, source)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, there)
    for name, notebook in notebooks.items():
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        path.chmod(READ_ONLY)


class Replacement:
    """A new folder that takes the place of another one, or leaves it as it was.

    Inside the `with` files are written into `folder`, then `put_in_place` is called. Where an
    error ends the `with`, the old folder is there again. Raises OSError.
    """

    def __init__(self, place: Path):
        self.place, self._old = place, None

    def __enter__(self) -> "Replacement":
        self.place.parent.mkdir(parents=True, exist_ok=True)
        self._beside = Path(tempfile.mkdtemp(prefix=".new-", dir=self.place.parent))
        self.folder = self._beside / "new"
        self.folder.mkdir()
        return self

    def put_in_place(self) -> None:
        """Swap the folders."""
        if os.path.lexists(self.place):
            self.place.rename(self._beside / "old")
            self._old = self._beside / "old"
        self.folder.rename(self.place)

    def __exit__(self, failed: type | None, *_: object) -> None:
        if failed and self._old:
            shutil.rmtree(self.place, ignore_errors=True)
            self._old.rename(self.place)
        elif failed and not os.path.lexists(self.folder):  # there was none before
            shutil.rmtree(self.place, ignore_errors=True)
        shutil.rmtree(self._beside, ignore_errors=True)
        with suppress(OSError):  # the student has other assignments
            self.place.parent.rmdir()
