"""Damaged notebooks and submissions.

Each is graded as far as its content allows, with one sentence on each damage. None changes another
student's result.
"""

import json
import re
import shutil
import sqlite3
import string
import threading
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import cli, hidden
from autograder import grade as grading
from autograder import messages as ours
from autograder.running.workers import Workers
from autograder.sandbox import isolation
from autograder.secret import TEST_SECRET
from keyhole import messages
from keyhole.paths import data_folder
from tests.damaged import ALL, DAMAGES, NOTHING, save, without_marks, zipped
from tests.ordinary import as_ordinary_user, open_up
from tests.standins import DOUBLE, TESTS, TRIPLE, InThisProcess, PickledTasks, no_grader_processes
from tests.test_nbgrader import (  # noqa: F401 (fixtures)
    course,
    gradebook,
    nbgrader,
    page,
    prepared,
    released,
    source_notebook,
    visible,
)

# Others in whose names there is something that a program may stumble over.
HEALTHY = (
    *("0 first", "M 中間", "zzz last"),
    *(" blank in front", "blanks behind  ", "a;=1+1", "red\x1b and turned\u202e"),
)
STUDENTS = {f"{number:03} {name.replace('/', ' ')}": name for number, name in enumerate(DAMAGES)}
# On these nbgrader by itself stops, gives 0 points without a word, or repairs them. What it does
# with a locked gradebook has a separate test.
KNOWN = (
    "every cell twice",
    "another schema",
    "a test cell deleted",
    "all metadata stripped",
    "named 3_edit (1).ipynb",
    "text that is no JSON",
    "no notebook",
    "a kernelspec that is none",
    "points and flags changed",
    "a solution turned into Markdown",
    *(name for name, damage in DAMAGES.items() if damage.says in ("unread", "place_linked")),
    *(name for name, damage in DAMAGES.items() if damage.says == "only_links"),
)
NOT_RECORDED = (
    "another assignment only",
    "an empty folder of another name",
    "an empty folder of the student's",
)
OUR_NOTES = ours.en.PAGES["feedback_notes"]
JAR = [(table, module) for table, module in (("SENTENCES", ours.en), ("FEEDBACK", messages.en))]


def right_notebook(notebook) -> dict:
    """The JSON of a notebook with both functions filled in."""
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = {"double": DOUBLE, "triple": TRIPLE}.get(name, cell.source)
    return json.loads(nbformat.writes(notebook))


def hand_in(submitted: Path, notebook: dict, students=STUDENTS) -> None:
    for student in HEALTHY:
        save(submitted / student / "model_editing", notebook)
    for student, name in students.items():
        DAMAGES[name].make(submitted / student / "model_editing", json.loads(json.dumps(notebook)))


def grade(folder, language, *options) -> dict[str, dict]:
    assert (
        cli.main(
            [
                "grade",
                str(folder / "in"),
                "--json",
                str(folder / "r.json"),
                "--csv",
                str(folder / "r.csv"),
                "--no-feedback",
                "--lang",
                language,
                *options,
            ]
        )
        == 0
    )
    return {entry["student"]: entry for entry in json.loads((folder / "r.json").read_text())}


def pieces(name, language) -> list[str]:
    """The fixed parts of a sentence."""
    for tables, table in ((ours.LANGUAGES, "SENTENCES"), (messages.LANGUAGES, "FEEDBACK")):
        if name in getattr(tables["en"], table):
            return [
                text
                for text, *_ in string.Formatter().parse(getattr(tables[language], table)[name])
                if text.strip()
            ]
    raise KeyError(name)


def said(name, language, reason) -> bool:
    return all(
        part.strip().strip("`").casefold() in reason.casefold() for part in pieces(name, language)
    )


@pytest.fixture(scope="module", params=["en", pytest.param("zh-TW", marks=pytest.mark.slow)])
def batch(request, tmp_path_factory):
    """Every damage once, between healthy submissions, graded in one batch.

    (language, entries, entries by one job, entries of the healthy alone, folder).
    """
    folder = tmp_path_factory.mktemp("class")
    with pytest.MonkeyPatch.context() as patch:
        no_grader_processes(patch)
        patch.setattr(hidden, "NOTEBOOKS", TESTS)
        patch.setattr(grading, "Sandbox", InThisProcess)
        patch.setattr(isolation, "best", lambda: isolation.MachineLevel("A", {}))
        patch.setattr(Workers, "here", PickledTasks)
        patch.setenv("KEYHOLE_SECRET_FILE", str(folder / "secret.key"))
        language = request.param
        try:
            notebook = right_notebook(source_notebook())
            hand_in(folder / "in", notebook, {})
            alone = grade(folder, language)
            hand_in(folder / "in", notebook)
            with as_ordinary_user():
                return (
                    language,
                    grade(folder, language, "--jobs", "2"),
                    grade(folder, language, "--jobs", "1"),
                    alone,
                    folder,
                )
        finally:
            open_up(folder / "in")
            messages.use("en")
            for student, name in STUDENTS.items():
                if name == "outputs of 100 MB":  # pytest keeps its folders
                    (folder / "in" / student / "model_editing" / "3_edit.ipynb").unlink(
                        missing_ok=True
                    )


def test_there_are_enough_of_them_and_silence_is_kept_only_where_nothing_is_mended():
    assert len(DAMAGES) >= 30 and len(STUDENTS) == len(DAMAGES)
    assert {name for name, damage in DAMAGES.items() if damage.says is None} == {
        "a helper in its own cell",
        "imports under a condition and in a try",
        "a constant changed later",
        "sources that are lists",
        "metadata nested deeply",
        "saved by Colab",
        "saved by VS Code",
        "line ends of Windows in the file",
        "a checkpoint beside it",
        "a time in utf-8-sig",
        "a time in utf-16",
    }


@pytest.mark.slow
def test_no_healthy_student_is_touched_and_none_is_lost_whatever_the_jobs(batch):
    _, entries, one_job, alone, _ = batch
    for student in HEALTHY:
        assert (
            timeless(entries[student]) == timeless(alone[student])
            and entries[student]["score"] == ALL
            and entries[student]["reason"] is None
        )
    assert entries.keys() == {*HEALTHY, *STUDENTS}
    assert {name: timeless(entry) for name, entry in one_job.items()} == {
        name: timeless(entry) for name, entry in entries.items()
    }


def timeless(entry: dict) -> dict:
    return entry | {"seconds": 0}


@pytest.mark.parametrize("student", STUDENTS)
def test_as_far_as_its_content_allows_and_in_one_sentence(batch, student):
    language, entries, *_ = batch
    entry, damage = entries[student], DAMAGES[STUDENTS[student]]
    reason = entry["reason"]
    assert entry["score"] == damage.score, reason
    assert entry["status"] == ("failed" if damage.score == NOTHING else "graded")
    if damage.says is None:
        assert reason is None
        return
    assert said(damage.says, language, reason), reason
    assert not re.search(r"Traceback|Error\b|Exception|\{|NoneType|File \"", reason)
    assert reason.endswith(("." if language == "en" else "。", "）", "…")) and len(reason) < 600
    if language != "en":
        english = [
            part
            for table, module in JAR
            for text in getattr(module, table).values()
            for part, *_ in string.Formatter().parse(text)
            if len(part) > 12
        ]
        assert re.search("[一-鿿]", reason) and not [part for part in english if part in reason]


def test_nothing_of_a_zip_is_left_behind_or_lands_elsewhere(batch):
    folder = batch[-1]
    assert not list(folder.parent.glob("3_edit.ipynb")) and not list(folder.glob("*.ipynb"))


@pytest.mark.slow
def test_both_routes_give_the_same_scores_and_every_page(course, capfd):  # noqa: F811
    submitted = course / "grading" / "submitted"
    others = [student for student, name in STUDENTS.items() if name not in (*KNOWN, *NOT_RECORDED)]
    students = {
        student: name
        for student, name in STUDENTS.items()
        if name in KNOWN or student in others[2::4]
    }  # a page takes a second; all of them are graded above
    assert {*KNOWN} <= {*students.values()}
    hand_in(submitted, right_notebook(released(course)), students)
    everybody = {*HEALTHY, *students}
    expected = dict.fromkeys(HEALTHY, ALL) | {
        student: DAMAGES[name].score for student, name in students.items()
    }
    options = ["--json", "r.json", "--course", str(course)]
    try:
        with as_ordinary_user():
            # nbgrader's own command first: by the other one it would find results
            assert nbgrader("autograde", "model_editing", "--force") == 0
            assert nbgrader("generate_feedback", "model_editing", "--force") == 0
            assert gradebook(course) == expected
            first = {student: noted(course, student) for student in everybody}
            assert cli.main(["grade", str(submitted), *options]) == 0
    finally:
        open_up(submitted)
    entries = {entry["student"]: entry for entry in json.loads((course / "r.json").read_text())}
    assert (
        {student: entry["score"] for student, entry in entries.items()}
        == expected
        == gradebook(course)
    )
    assert "not in the gradebook" not in capfd.readouterr().err
    for student, name in students.items():
        assert noted(course, student) in first[student], student  # which says what stands in
        if entries[student]["reason"]:
            assert said(DAMAGES[name].says, "en", noted(course, student)), student
    assert not any(noted(course, student) for student in HEALTHY)


@pytest.mark.slow
def test_who_handed_in_another_assignment_has_a_row_and_an_old_score_stays(
    course,  # noqa: F811
    capfd,
    caplog,
):
    submitted = course / "grading" / "submitted"
    students = {
        name: name
        for name in (*NOT_RECORDED, "in the folder .. in hw7", "a file in place of the folder")
    }
    recorded = dict.fromkeys((*HEALTHY, "in the folder .. in hw7"), ALL) | {
        "a file in place of the folder": NOTHING
    }
    hand_in(submitted, right_notebook(released(course)), students)
    for grade in (
        lambda: nbgrader("autograde", "model_editing", "--force"),
        lambda: cli.main(["grade", str(submitted), "--json", "r.json", "--course", str(course)]),
    ):
        assert grade() == 0 and gradebook(course) == recorded
        told = capfd.readouterr().err + caplog.text
        assert (
            told.count("not in the gradebook: there is no model_editing, only homework1") == 2
            and told.count("only an empty folder") == 1
        )
        caplog.clear()
    assert {*HEALTHY, *students} == {
        entry["student"] for entry in json.loads((course / "r.json").read_text())
    }
    shutil.rmtree(submitted / HEALTHY[0] / "model_editing")
    assert grade() == 0 and gradebook(course) == recorded


@pytest.mark.slow
@pytest.mark.parametrize("route", ["grade", "autograde"])
def test_a_time_is_read_as_far_as_it_is_one_and_stops_nothing(course, route):  # noqa: F811
    submitted = course / "grading" / "submitted"
    times = {name: name for name in DAMAGES if name.startswith("a time ")}
    hand_in(submitted, right_notebook(released(course)), times)
    save(submitted / HEALTHY[0] / "model_editing", "2025-01-01T08:00:00+08:00\r\n", "timestamp.txt")
    for force in ((), (), ("--force",)):  # also where there is a result already
        if route == "grade":
            assert (
                cli.main(["grade", str(submitted), "--json", "r.json", "--course", str(course)])
                == 0
            )
        else:
            assert (
                nbgrader("autograde", "model_editing", *force) == 0
                and nbgrader("generate_feedback", "model_editing", *force) == 0
            )
        with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
            found = {
                each.student.id: (each.score, each.timestamp and each.timestamp.isoformat())
                for each in book.assignment_submissions("model_editing")
            }
        read = {HEALTHY[0], "a time in utf-8-sig", "a time in utf-16"}
        assert found == {
            student: (ALL, "2025-01-01T00:00:00" if student in read else None)
            for student in (*HEALTHY, *times)
        }
        assert {
            student for student in times if said("time_unreadable", "en", noted(course, student))
        } == times.keys() - read


@pytest.mark.slow
def test_nbgraders_own_command_waits_for_a_locked_gradebook(course):  # noqa: F811
    hand_in(course / "grading" / "submitted", right_notebook(released(course)), {})
    other = sqlite3.connect(
        course / "grading" / "gradebook.db", isolation_level=None, check_same_thread=False
    )
    other.execute("BEGIN EXCLUSIVE")
    unlock = threading.Timer(1.5, other.execute, ["ROLLBACK"])
    unlock.start()
    try:
        assert nbgrader("autograde", "model_editing") == 0 and unlock.finished.is_set()
    finally:
        unlock.join()
        other.close()
    assert gradebook(course) == dict.fromkeys(HEALTHY, ALL)


def noted(course, student) -> str:  # noqa: F811
    """What the page of a student says in its notes, as a reader sees it."""
    html = page(course, student).replace("&#39;", "'")
    _, nbgraders, rest = html.partition(ours.en.SENTENCES["notes"])
    if not nbgraders:
        rest = html.partition(OUR_NOTES)[2]
    text = visible(rest.partition("</ul>" if nbgraders else "</section>")[0])
    for escaped, letter in (("&lt;", "<"), ("&gt;", ">"), ("&#34;", '"'), ("&amp;", "&")):
        text = text.replace(escaped, letter)
    return re.sub(r" (?=[,.;](?:\s|$))", "", re.sub(r"[`\s]+", " ", text)).strip()


@pytest.mark.slow
@pytest.mark.usefixtures("one_model")
def test_by_the_real_grader(tmp_path):
    """A right submission of the sample class, each of its notebooks damaged, loses nothing."""
    whole = data_folder() / "sample_class" / "ada-complete" / "model_editing"
    one, two, three, four = (
        json.loads((whole / f"{name}.ipynb").read_text("utf-8"))
        for name in ("1_measure", "2_locate", "3_edit", "4_scale")
    )
    folder = tmp_path / "ada" / "model_editing"
    save(folder, without_marks(one), "1_measure (1).ipynb")
    save(folder, without_marks(four), "4_scale (2).ipynb")
    save(
        folder,
        json.dumps(two | {"cells": two["cells"][::-1] + two["cells"]}).encode("utf-16"),
        "2_locate.ipynb",
    )
    beside = {name: (whole / name).read_bytes() for name in ("my_fact.json", "my_edit.safetensors")}
    save(
        folder,
        zipped(
            {
                f"ada/{name}": content
                for name, content in {"3_edit.ipynb": json.dumps(three), **beside}.items()
            }
        ),
        "notebook 3.zip",
    )
    result = grading.grade_submission(folder, "ada", grading.Grader(secret=TEST_SECRET))
    assert result.score == result.max_score and result.status == "graded", result.reason
    for name in ("found", "marks_lost", "file_encoding", "cells_twice", "zip_opened"):
        assert said(name, "en", result.reason)
