"""autograder.submission: whatever lies in a student's folder, each notebook gives definitions or a reason."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.messages import sentence
from autograder.submission import Expected, read_submission

EXPECTED = {"3_edit": Expected(("f", "g")), "1_measure": Expected(("h",))}


def read(folder):
    with read_submission(folder, EXPECTED) as found:
        return found


def graded(cell, name, **flags):
    cell.metadata.nbgrader = {"grade_id": name, "grade": True, "solution": False, "locked": False, "schema_version": 3} | flags
    return cell


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "student" / "model_editing"
    path.mkdir(parents=True)
    cells = [graded(new_code_cell("def f(): return 1"), "f", grade=False, solution=True),
             graded(new_code_cell("def g(): return 2"), "g", grade=False, solution=True), graded(new_markdown_cell("  My *answer* <b>\n"), "question", solution=True),
             graded(new_markdown_cell("the task"), "task")]
    nbformat.write(new_notebook(cells=cells), path / "3_edit.ipynb")
    return path


def test_each_notebook_for_itself(folder):
    found = read(folder)
    assert list(found) == ["3_edit", "1_measure"]
    assert found["3_edit"].definitions.functions == {"f", "g"} and found["3_edit"].reason is None and found["3_edit"].notes == ()
    assert found["1_measure"].definitions is None and found["1_measure"].reason == sentence("only_others", file="1_measure.ipynb", others="`3_edit.ipynb`")


def test_without_metadata_functions_are_found_by_name(folder):
    nbformat.write(new_notebook(cells=[new_code_cell("def g(): return 1")]), folder / "3_edit.ipynb")
    found = read(folder)["3_edit"]
    assert found.definitions.functions == {"g"} and found.notes == (sentence("marks_lost", file="3_edit.ipynb"),)


@pytest.mark.parametrize("cells, kept", [(["x = 1"], False), (["def f(:"], True), ([], False)])
def test_a_notebook_without_the_expected_cells(folder, cells, kept):
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), folder / "3_edit.ipynb")
    found = read(folder)["3_edit"]
    assert (found.reason is None) == kept and (kept or "none of the cells" in found.reason)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00garbage", b"[" * 200_000, json.dumps({"cells": None}).encode()])
def test_damage_is_a_reason(folder, content):
    (folder / "3_edit.ipynb").write_bytes(content)
    found = read(folder)["3_edit"]
    assert found.definitions is None and found.reason.startswith("3_edit.ipynb is ") and found.reason.endswith(".")


def test_no_link_is_followed(folder, tmp_path):
    (folder / "1_measure.ipynb").symlink_to(folder / "3_edit.ipynb")
    assert "symbolic link" in read(folder)["1_measure"].reason
    (tmp_path / "linked").symlink_to(folder)
    assert read(tmp_path / "linked")["3_edit"].definitions is None


def test_a_missing_folder(tmp_path):
    assert all(each.reason for each in read(tmp_path / "nobody").values())
