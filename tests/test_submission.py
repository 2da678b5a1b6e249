"""autograder.submissions: each notebook of a student's folder gives definitions or a reason."""

import errno
import json
import os
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.submissions import notebooks as submission
from autograder.submissions.cells import Plan
from autograder.submissions.folder import BESIDE, misplaced, state_of, time_of
from autograder.submissions.notebooks import read_submission
from keyhole.notebooks import definitions as reading
from keyhole.notebooks.file import file_called
from tests.damaged import save, zipped
from tests.standins import feedback, in_words, sentence

EXPECTED = {"3_edit": Plan(("f", "g")), "1_measure": Plan(("h",))}


def read(folder):
    with read_submission(folder, EXPECTED) as found:
        return {name: in_words(submitted) for name, submitted in found.items()}


def graded(cell, name, **flags):
    cell.metadata.nbgrader = {
        "grade_id": name,
        "grade": True,
        "solution": False,
        "locked": False,
        "schema_version": 3,
    } | flags
    return cell


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "student" / "model_editing"
    path.mkdir(parents=True)
    cells = [
        graded(new_code_cell("def f(): return 1"), "f", grade=False, solution=True),
        graded(new_code_cell("def g(): return 2"), "g", grade=False, solution=True),
        graded(new_markdown_cell("  My *answer* <b>\n"), "question", solution=True),
        graded(new_markdown_cell("the task"), "task"),
    ]
    nbformat.write(new_notebook(cells=cells), path / "3_edit.ipynb")
    return path


def test_each_notebook_for_itself(folder):
    found = read(folder)
    assert list(found) == ["3_edit", "1_measure"]
    assert (
        found["3_edit"].definitions.functions == {"f", "g"}
        and found["3_edit"].reason is None
        and found["3_edit"].notes == ()
    )
    assert found["1_measure"].definitions is None and found["1_measure"].reason == sentence(
        "only_others", file="1_measure.ipynb", others="`3_edit.ipynb`"
    )


def test_without_metadata_functions_are_found_by_name(folder):
    nbformat.write(
        new_notebook(cells=[new_code_cell("def g(): return 1")]), folder / "3_edit.ipynb"
    )
    found = read(folder)["3_edit"]
    assert found.definitions.functions == {"g"} and found.notes == (
        sentence("marks_lost", file="3_edit.ipynb"),
    )


def test_a_function_that_is_made_by_a_call_is_not_missing(folder):
    nbformat.write(
        new_notebook(
            cells=[graded(new_code_cell("def f(): return 1"), "f"), new_code_cell("g = partial(f)")]
        ),
        folder / "3_edit.ipynb",
    )
    assert read(folder)["3_edit"].notes == (
        sentence("marks_changed", file="3_edit.ipynb", cells="`f`"),
    )


@pytest.mark.parametrize("cells, kept", [(["x = 1"], False), (["def f(:"], True), ([], False)])
def test_a_notebook_without_the_expected_cells(folder, cells, kept):
    nbformat.write(
        new_notebook(cells=[new_code_cell(cell) for cell in cells]), folder / "3_edit.ipynb"
    )
    found = read(folder)["3_edit"]
    assert (found.reason is None) == kept and (kept or "none of the graded cells" in found.reason)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\x00garbage", b"[" * 200_000, json.dumps({"cells": None}).encode()],
)
def test_damage_is_a_reason(folder, content):
    (folder / "3_edit.ipynb").write_bytes(content)
    found = read(folder)["3_edit"]
    assert (
        found.definitions is None
        and found.reason.startswith("3_edit.ipynb is ")
        and found.reason.endswith(".")
    )


def test_no_link_is_followed(folder, tmp_path):
    (folder / "1_measure.ipynb").symlink_to(folder / "3_edit.ipynb")
    assert "symbolic link" in read(folder)["1_measure"].reason
    (tmp_path / "linked").symlink_to(folder)
    assert read(tmp_path / "linked")["3_edit"].definitions is None


def test_a_missing_folder(tmp_path):
    assert all(each.reason for each in read(tmp_path / "nobody").values())


FILLED, BLANK, BROKEN = (
    "def f(): return 1",
    "def f():\n    raise NotImplementedError()",
    "def f(:\n    return 1",
)


@pytest.mark.parametrize(
    "copies, counts",
    [
        ((FILLED, FILLED), 2),
        ((FILLED, BLANK), 1),
        ((BLANK, FILLED), 2),
        ((FILLED, BROKEN), 1),
        ((BROKEN, FILLED), 2),
        ((FILLED, FILLED, BROKEN, BLANK), 2),
        ((BLANK, BROKEN), 2),
        ((BLANK, BLANK), 2),
        (("", FILLED, ""), 2),
    ],
)
def test_the_copy_that_counts_is_the_one_that_is_named_and_shown(folder, copies, counts):
    cells = [graded(new_code_cell(source), "f", grade=False, solution=True) for source in copies]
    nbformat.write(new_notebook(cells=cells), folder / "3_edit.ipynb")
    found = read(folder)["3_edit"]
    assert (
        sentence(
            "cells_twice", file="3_edit.ipynb", cells=sentence("placed", cell="`f`", number=counts)
        )
        in found.notes
    )
    assert [number for number, name in enumerate(found.ids, start=1) if name] == [counts]
    assert found.filled == (FILLED in copies) and ("f" in found.definitions.broken) == (
        FILLED not in copies and BROKEN in copies
    )


def test_a_blank_left_in_its_cell_hides_neither_the_function_below_nor_that_it_is_there(folder):
    cells = [
        graded(new_code_cell(BLANK), "f", grade=False, solution=True),
        new_code_cell(FILLED),
        new_code_cell("def g(): return 1\n\ndef helper(): return 2"),
    ]
    nbformat.write(new_notebook(cells=cells), folder / "3_edit.ipynb")
    found = read(folder)["3_edit"]
    assert (
        found.filled == 2
        and sentence(
            "functions_elsewhere",
            file="3_edit.ipynb",
            cells=sentence("placed", cell="`f`", number=2),
        )
        in found.notes
    )
    assert found.ids == ("f", None, "g")  # g has lost its mark, f has not


@pytest.fixture
def whole(folder):
    """Both notebooks in their places; of the second, files beside it are graded, too."""
    nbformat.write(
        new_notebook(
            cells=[graded(new_code_cell("def h(): return 1"), "h", grade=False, solution=True)]
        ),
        folder / "1_measure.ipynb",
    )
    return {
        "3_edit": EXPECTED["3_edit"],
        "1_measure": Plan(("h",), {"test_h": 1, "test_my_edit": 5}),
    }


def notes_and_files(folder, expected):
    with read_submission(folder, expected) as found:
        assert (
            all(each.definitions and each.folder.is_dir() for each in found.values())
            and found["3_edit"].notes == ()
        )
        notes = [note for note in map(str, found["1_measure"].notes) if "test_" not in note]
        return notes, {
            file.name: file.read_text() for file in found["1_measure"].folder.glob("my_*")
        }


@pytest.mark.parametrize("place", ["files.zip", "later"])
def test_files_that_lie_elsewhere_are_found_beside_whole_notebooks(folder, whole, place):
    files = {"my_fact.json": "{}", "my_edit.safetensors": "x"}
    if place == "later":
        for name, content in files.items():
            save(folder / place, content, name)
    else:
        save(folder, zipped({f"mine/{name}": content for name, content in files.items()}), place)
    said = sentence(
        "files_elsewhere",
        file="1_measure.ipynb",
        place=place,
        files="`my_fact.json` and `my_edit.safetensors`",
    )
    assert notes_and_files(folder, whole) == ([said], files)
    for name in files:
        save(folder, "own", name)
    assert notes_and_files(folder, whole) == ([], dict.fromkeys(files, "own"))


@pytest.mark.parametrize("zip", [None, "files.zip"])
def test_files_whose_names_were_changed_are_found_as_notebooks_are(folder, whole, zip):
    files = {"My_Fact.json": "{}", "my_edit (10).safetensors": "x", "notes.json": "[]"} | (
        {} if zip else {"my_edit (9).safetensors": "old", "._my_edit (11).safetensors": "?"}
    )
    if zip:
        save(folder, zipped(files), zip)
    else:
        for name, content in files.items():
            save(folder, content, name)
        (folder / "copy of my_edit (12).safetensors").symlink_to(folder / "notes.json")
    said = [
        sentence("file_renamed", file="my_fact.json", other="My_Fact.json"),
        sentence("file_renamed", file="my_edit.safetensors", other="my_edit (10).safetensors"),
    ]
    notes, _ = notes_and_files(folder, whole)
    assert (
        notes
        == (
            [
                sentence(
                    "files_elsewhere",
                    file="1_measure.ipynb",
                    place=zip,
                    files="`my_fact.json` and `my_edit.safetensors`",
                )
            ]
            if zip
            else []
        )
        + said
    )
    with read_submission(folder, whole) as found:
        assert [file_called(found["1_measure"].folder, name).read_text() for name in BESIDE] == [
            "{}",
            "x",
        ]


@pytest.mark.parametrize(
    "where, fails, says",
    [
        ("_unpack", OSError(errno.ENOSPC, "No space left on device"), "no_room"),
        (
            "tempfile.TemporaryDirectory",
            FileNotFoundError(errno.ENOENT, "No usable one"),
            "no_room",
        ),
        ("_unpack", OSError(errno.EINVAL, "Invalid argument"), "zip_damaged"),
    ],
)
def test_a_full_disk_is_not_the_students_fault(
    folder, whole, monkeypatch, caplog, where, fails, says
):
    monkeypatch.setattr(
        f"autograder.submissions.zips.{where}", lambda *_, **__: (_ for _ in ()).throw(fails)
    )
    save(folder, zipped({"my_fact.json": "{}"}), "files.zip")
    said = sentence(says, zip="files.zip", limit=0)
    assert notes_and_files(folder, whole) == ([said], {}) and ("TMPDIR" in caplog.text) == (
        says == "no_room"
    )
    for notebook in folder.glob("*.ipynb"):
        notebook.unlink()
    assert {each.reason for each in read(folder).values()} == {said}


@pytest.mark.parametrize("megabytes", [512, 0.02])
def test_what_is_read_and_parsed_of_a_crafted_submission_is_bounded(folder, monkeypatch, megabytes):
    """A cell is parsed again for each of its commands.

    A blank notebook sends the search through all notebooks that there are, once for each name.
    """
    parsed, opened, tree, load = [], Counter(), reading._tree, reading.load
    monkeypatch.setattr(reading, "_tree", lambda source: parsed.append(len(source)) or tree(source))
    monkeypatch.setattr(
        reading, "load", lambda path, *rest: opened.update([path]) or load(path, *rest)
    )
    monkeypatch.setattr(reading, "PARSED_CHARACTERS", most := 60_000)
    monkeypatch.setattr(submission, "SEARCHED_MB", megabytes)
    stubs = "".join(f"def {name}():\n    raise NotImplementedError()\n" for name in "fgh")
    notebook = nbformat.writes(
        new_notebook(cells=[new_code_cell(stubs), new_code_cell("x = 1\n" * 500 + "!ls\n" * 39)])
    )
    for name in ("3_edit", "1_measure"):
        for end in ("", *map(str, range(20))):
            (folder / f"{name}{end}.ipynb").write_text(notebook)
    found = read(folder)
    size = len(notebook) / 2**20
    assert (
        most / 2 < sum(parsed) <= most
        and max(opened.values()) == 1
        and 1 < len(opened) - 2 <= min(submission.MOST_SEARCHED, megabytes / size)
    )
    for name, each in found.items():
        assert sentence("not_all_read", file=f"{name}.ipynb") in each.notes
    assert any(feedback("cell_work", most=f"{most:,}") in note for note in found["1_measure"].notes)


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("name", ["3_edit.ipynb", "mine.ipynb"])
def test_a_file_that_is_gone_when_it_is_read_costs_itself_and_says_so(
    folder, whole, monkeypatch, code, name
):
    (folder / "3_edit.ipynb").rename(folder / name)
    really, at = os.open, Path.lstat

    def fails(path, *rest):
        if Path(path).name == name:
            raise OSError(code, os.strerror(code))
        return (really if rest else at)(path, *rest)

    monkeypatch.setattr(os, "open", fails)
    monkeypatch.setattr(Path, "lstat", fails)
    found = read(folder)
    said = sentence("unread", place=name, why=os.strerror(code))
    assert found["3_edit"].reason == said and found["3_edit"].definitions is None
    assert found["1_measure"].definitions and found["1_measure"].reason is None


@pytest.mark.parametrize("code", [errno.ENOENT, errno.EACCES, errno.ESTALE])
@pytest.mark.parametrize("place", ["model_editing", "old"])
def test_a_folder_that_is_gone_when_it_is_read_is_not_empty(
    folder, whole, monkeypatch, code, place
):
    (folder / "old").mkdir()
    really = os.scandir

    def fails(path):
        if Path(path).name == place:
            raise OSError(code, os.strerror(code))
        return really(path)

    monkeypatch.setattr(os, "scandir", fails)
    said = sentence("unread", place=f"{place}/", why=os.strerror(code))
    for each in read(folder).values():
        assert each.definitions and said in each.notes
    for name in EXPECTED:
        (folder / f"{name}.ipynb").unlink()
    if place == "model_editing":
        assert {each.reason for each in read(folder).values()} == {said}


@pytest.mark.parametrize("link", ["student", "student/model_editing", "student.zip"])
def test_no_file_behind_a_link_is_opened(folder, whole, tmp_path, monkeypatch, link):
    save(folder, "2025-01-01 00:00:00 UTC", "timestamp.txt")
    save(folder, "{}", "my_fact.json")
    real = folder.parent.rename(tmp_path / "staff")
    save(
        tmp_path, zipped({"3_edit.ipynb": (real / folder.name / "3_edit.ipynb").read_bytes()}), "z"
    )
    target = {1: real, 2: real / folder.name}[len(Path(link).parts)]
    path = tmp_path / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(tmp_path / "z" if link.endswith("zip") else target)
    monkeypatch.setattr(os, "open", None)
    with read_submission(folder, whole) as found:
        assert found.time is None and found.handed.shut
        said = sentence("place_linked", place=path.name)
        assert {str(each.reason) for each in found.values()} == {said}
    assert time_of(folder) is None and misplaced(folder) is None
    assert state_of(folder) == state_of(folder)
