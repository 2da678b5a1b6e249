"""autograder.submission: whatever lies in a student's folder, each notebook gives definitions or a reason."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.submission import NO_METADATA, read_submission

EXPECTED = {"3_edit": ["f", "g"], "1_measure": ["h"]}


def graded(cell, name, **flags):
    cell.metadata.nbgrader = {"grade_id": name, "grade": True, "solution": False, "locked": False, "schema_version": 3} | flags
    return cell


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "student" / "model_editing"
    path.mkdir(parents=True)
    cells = [graded(new_code_cell("def f(): return 1"), "f", solution=True), graded(new_markdown_cell("  My *answer* <b>\n"), "question", solution=True),
             graded(new_markdown_cell("the task"), "task")]
    nbformat.write(new_notebook(cells=cells), path / "3_edit.ipynb")
    return path


def test_each_notebook_for_itself(folder):
    read = read_submission(folder, EXPECTED)
    assert list(read) == ["3_edit", "1_measure"]
    assert read["3_edit"].definitions.functions == {"f"} and read["3_edit"].reason is None and read["3_edit"].notes == ()
    assert read["3_edit"].answers == {"question": "  My *answer* <b>\n"}
    assert read["1_measure"].definitions is None and read["1_measure"].reason == "there is no 1_measure.ipynb; the notebooks in the folder are 3_edit.ipynb."


def test_without_metadata_functions_are_found_by_name(folder):
    nbformat.write(new_notebook(cells=[new_code_cell("def g(): return 1")]), folder / "3_edit.ipynb")
    read = read_submission(folder, EXPECTED)["3_edit"]
    assert read.definitions.functions == {"g"} and read.notes == (NO_METADATA,)


@pytest.mark.parametrize("cells, kept", [(["x = 1"], False), (["def f(:"], True), ([], False)])
def test_a_notebook_without_the_expected_cells(folder, cells, kept):
    nbformat.write(new_notebook(cells=[new_code_cell(cell) for cell in cells]), folder / "3_edit.ipynb")
    read = read_submission(folder, EXPECTED)["3_edit"]
    assert (read.reason is None) == kept and (kept or "none of the cells" in read.reason)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00garbage", b"[" * 200_000, json.dumps({"cells": None}).encode()])
def test_damage_is_a_reason(folder, content):
    (folder / "3_edit.ipynb").write_bytes(content)
    read = read_submission(folder, EXPECTED)["3_edit"]
    assert read.definitions is None and read.reason.startswith("3_edit.ipynb is ") and read.reason.endswith(".")


def test_no_link_is_followed(folder, tmp_path):
    (folder / "1_measure.ipynb").symlink_to(folder / "3_edit.ipynb")
    assert "symbolic link" in read_submission(folder, EXPECTED)["1_measure"].reason
    (tmp_path / "linked").symlink_to(folder)
    assert read_submission(tmp_path / "linked", EXPECTED)["3_edit"].definitions is None


def test_a_missing_folder(tmp_path):
    assert all(read.reason for read in read_submission(tmp_path / "nobody", EXPECTED).values())
