"""The notebooks: without outputs, in step with one another, and running from top to bottom."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from safetensors.torch import load_file

from autograder.hidden import NOTEBOOKS
from autograder.making import sample_class, sample_edits
from autograder.result import function_of
from keyhole.facts import fact_from
from keyhole.learned import load_editors
from keyhole.many import load_curves
from keyhole.notebooks.definitions import definitions, grade_id, read_notebook
from tests.standins import OfFiles

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


def executed(name, folder):
    """The solution, run from top to bottom in `folder` as Jupyter would: NotebookNode."""
    for each in NAMES:  # notebook 4 takes functions of others
        shutil.copy(SOLUTIONS / f"{each}.ipynb", folder)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "notebook",
            "--execute",
            "--inplace",
            f"{name}.ipynb",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return nbformat.read(folder / f"{name}.ipynb", as_version=4)


def pictures(notebook):
    return [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", ())
    ]


@pytest.mark.slow
def test_notebook_2_runs_and_its_two_rows_are_those_of_the_stored_map(tmp_path):
    notebook = executed("2_locate", tmp_path)
    assert len(pictures(notebook)) >= 12
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert float(re.search(r"differ from the stored ones by at most (\S+)", said)[1]) < 1e-4


@pytest.mark.slow
def test_notebook_3_runs_and_hands_in_a_rank_one_edit(tmp_path, real_model):
    executed("3_edit", tmp_path)
    handed_in = json.loads((tmp_path / "my_fact.json").read_text(encoding="utf-8"))
    fact, factors = fact_from(handed_in["fact"]), load_file(tmp_path / "my_edit.safetensors")
    with real_model.edited(handed_in["layer"], torch.outer(factors["left"], factors["right"])):
        after = real_model.next_token_probabilities([fact.prompt])[0].max()
    assert abs(after.item() - handed_in["measured"][0]["after"][1]) < 1e-3
    trial = OfFiles(tmp_path, real_model)
    found = {case.id: case.run(trial) for case in NOTEBOOKS["3_edit"].cells["test_my_edit"]}
    assert all(outcome.passed for outcome in found.values()), found
    assert sample_edits.fact_of("ada-complete") == handed_in["fact"]


@pytest.mark.slow
def test_notebook_1_runs_and_its_picture_of_the_warning_holds(tmp_path):
    shown = {
        cell.id: "".join(output.get("text", "") for output in cell.outputs)
        for cell in executed("1_measure", tmp_path).cells
        if cell.cell_type == "code"
    }
    rows = {
        " ".join(row.split()[:-6]): [float(share) for share in row.split()[-6:]]
        for row in shown["fine-tune-measure"].splitlines()[1:]
    }
    assert rows["before, by probability"] == rows["before, by generation"] == [0, 0, 100, 0, 0, 0]
    reliability, paraphrase, locality, *_, score = rows["fine-tuned, by probability"]
    assert reliability == paraphrase == 100 and locality < 60 and score < 80
    assert "' Rome Rome Rome" in shown["turn-up-run"] and " 0.0" in shown["turn-up-run"]


@pytest.mark.slow
def test_notebook_4_runs_and_agrees_with_the_stored_curves(tmp_path):
    """Of fewer facts than the stored ones: each score within three deviations, and four points."""
    notebook = executed("4_scale", tmp_path)
    assert len(pictures(notebook)) >= 6
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    curves = load_curves()["many edits"]
    for editor, title, edits in (
        ("ROME, one after the other", "ROME, 10 edits", 10),
        ("ROME, one after the other", "ROME, 80 edits", 80),
        ("MEMIT", "MEMIT, λ = 300", 80),
    ):
        [stored] = [point["values"] for point in curves[editor] if point["edits"] == edits]
        found = re.search(
            rf"{re.escape(title)} +S +(\S+) by probability, +(\S+) by generation", said
        )
        for got, name in zip(found.groups(), ("S", "S said")):
            mean, deviation = stored[name]
            assert abs(float(got) - 100 * mean) < 300 * deviation + 4, (title, got, mean)


@pytest.mark.slow
def test_notebook_5_runs_and_its_editors_are_about_as_good_as_the_stored_ones(tmp_path):
    notebook = executed("5_learn_to_edit", tmp_path)
    assert len(pictures(notebook)) >= 4
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    off = [float(each) for each in re.findall(r"off by (\S+);", said)]
    assert len(off) == 3 and max(off) < 1e-4
    _, stored = load_editors()
    for title in ("one step", "a rate for each row", "a gate", "MEND"):
        found = re.search(rf"{title}[^/\n]*/ *\d+/ *\d+ +S +(\S+) ", said)[1]
        scores = [100 * run[title]["tests"]["unseen subjects"]["S"] for run in stored["within"]]
        assert min(scores) - 15 < float(found) < max(scores) + 15, (title, found, scores)
