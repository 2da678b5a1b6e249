"""The notebooks: without outputs, and in step with one another."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.hidden import NOTEBOOKS
from autograder.making import sample_class
from autograder.result import function_of
from keyhole.notebooks.definitions import definitions, grade_id, read_notebook

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS, ASSIGNMENTS = (
    ROOT / "solutions" / "model_editing",
    ROOT / "assignments" / "model_editing",
)
NAMES = sorted(NOTEBOOKS)


@pytest.mark.parametrize("folder", [SOLUTIONS, ASSIGNMENTS], ids=["solutions", "assignments"])
@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_committed(folder, name):
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert all(
        cell.outputs == [] and cell.execution_count is None
        for cell in notebook.cells
        if cell.cell_type == "code"
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_hidden_tests_are_in_the_order_of_the_notebook(name):
    """Otherwise the grader tells every student that cells are in another order."""
    tests = NOTEBOOKS[name].cells
    cells = map(grade_id, nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4).cells)
    assert [cell for cell in cells if cell in tests] == list(tests)


@pytest.mark.slow
def test_the_students_notebooks_are_made_from_the_solutions(tmp_path):
    course = tmp_path / "course"
    course.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    shutil.copytree(
        SOLUTIONS, course / "solutions" / "model_editing", ignore=shutil.ignore_patterns("my_*")
    )
    run = subprocess.run(
        [sys.executable, "-m", "nbgrader", "generate_assignment", "model_editing"],
        cwd=course,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert run.returncode == 0, run.stderr
    for name in NAMES:
        made = nbformat.read(
            course / "assignments" / "model_editing" / f"{name}.ipynb", as_version=4
        )
        committed = nbformat.read(ASSIGNMENTS / f"{name}.ipynb", as_version=4)
        assert made == committed, "out of step: run `make assignments`"


@pytest.mark.parametrize("name", NAMES)
def test_the_students_notebook_holds_blanks_and_no_solution(name):
    text = (ASSIGNMENTS / f"{name}.ipynb").read_text(encoding="utf-8")
    assert "BEGIN SOLUTION" not in text and "torch.linalg.solve(moment" not in text
    found = definitions(read_notebook(ASSIGNMENTS / f"{name}.ipynb"))
    graded = {
        function_of(case.id)
        for cases in NOTEBOOKS[name].cells.values()
        for case in cases
        if not case.of_files
    }
    assert graded <= found.untouched
    assert graded <= definitions(read_notebook(SOLUTIONS / f"{name}.ipynb")).functions


@pytest.mark.parametrize("name", NAMES)
def test_every_blank_is_followed_at_once_by_its_check(name):
    cells = list(nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4).cells)
    for cell, after in zip(cells, cells[1:]):
        if cell.cell_type == "code" and f"test_{grade_id(cell)}" in NOTEBOOKS[name].cells:
            assert (
                grade_id(after) == f"test_{grade_id(cell)}"
                and after.source == f"check({grade_id(cell)})"
            )


@pytest.mark.parametrize("folder", [SOLUTIONS, ASSIGNMENTS], ids=["solutions", "assignments"])
@pytest.mark.parametrize("name", NAMES)
def test_a_cell_is_worth_what_its_hidden_tests_are(folder, name):
    """Were it not so, there would be no gradebook and no feedback pages."""
    marks = [
        cell.metadata.nbgrader
        for cell in nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
        if "nbgrader" in cell.metadata
    ]
    points = {mark.grade_id: mark.points for mark in marks if mark.grade and not mark.solution}
    assert points == {
        cell: sum(case.points for case in cases) for cell, cases in NOTEBOOKS[name].cells.items()
    }


SAYS = {  # by folder: a blank, a question, and a row of the table of blanks
    SOLUTIONS: (
        r"\*\*Blank \d: `(\w+)`\*\* \((\d+) points?, about (\d+) minutes\)",
        r"\*\*Question(?: \d)? \((\d+) points?, about (\d+) minutes\)\.\*\*",
    ),
    ASSIGNMENTS.parent / "zh-TW" / "model_editing": (
        r"\*\*填空 \d：`(\w+)`\*\*（(\d+) 分，約 (\d+) 分鐘）",
        r"\*\*問答(?: \d)?（(\d+) 分，約 (\d+) 分鐘）。\*\*",
    ),
}


@pytest.mark.parametrize("folder", SAYS, ids=["en", "zh-TW"])
@pytest.mark.parametrize("name", NAMES)
def test_each_blank_says_its_points_and_minutes_as_the_table_does(name, folder):
    cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    of_blank, of_question = SAYS[folder]
    blanks, questions = re.findall(of_blank, text), re.findall(of_question, text)
    rows = re.findall(r"^\| (.+) \|.+\|.+\| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert [(f"`{blank}`", *rest) for blank, *rest in blanks] == rows[:-1]
    of_all = [str(sum(map(int, column))) for column in zip(*questions)]
    assert list(rows[-1][1:]) == of_all
    worth = {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points
        for cell in cells
        if "nbgrader" in cell.metadata and cell.metadata.nbgrader.grade
    }
    assert sum(int(points) for _, points, _ in rows) == sum(worth.values())
    for blank, points, _ in blanks:
        cell = "test_my_edit" if blank == "my_record" else f"test_{blank}"
        assert int(points) == worth[cell], blank


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_ends_with_what_was_learnt(name):
    cells = nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4).cells
    assert cells[-1].id == "learnt" and "**Further reading.**" in cells[-1].source
    text = "\n".join(cell.source for cell in cells)
    for words in ("What you need to know", "How long it takes", "Where help is", "Predict before"):
        assert f"**{words}" in text, words


def test_the_sample_class_is_in_step(tmp_path):
    made = sample_class.make(tmp_path / "class")
    committed = ROOT / "data" / "sample_class"
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(committed) for path in committed.rglob("*") if path.is_file()
    )
    for path in files:
        assert (made / path).read_bytes() == (committed / path).read_bytes(), (
            "out of step: run `autograder remake sample-class`"
        )
