"""Results reach the gradebook whole, later, or by name in a recap: none is lost, none is half."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory

from autograder import cli
from autograder.gradebook import course as gradebooks
from autograder.gradebook import records
from autograder.gradebook.config import config_of
from autograder.running import recorder
from autograder.sandbox import isolation
from keyhole.errors import KeyholeError
from tests.standins import DOUBLE, TRIPLE
from tests.test_nbgrader import (  # noqa: F401 (fixtures)
    body,
    column,
    course,
    gradebook,
    hand_in,
    nbgrader,
    prepared,
    visible,
)

SUBMITTED = "grading/submitted"


def run(course, *options, command="grade", submitted=SUBMITTED):  # noqa: F811
    where = {"grade": [submitted, "--i-accept-no-isolation", "--json"], "record": []}[command]
    return cli.main([command, *where, "r.json", "--course", str(course), *options])


@pytest.fixture(autouse=True)
def without_walls(course, monkeypatch):  # noqa: F811
    """As the stand-in for the sandbox is, so that its results are taken over."""
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("E", {}))


def exported(course) -> dict[str, float]:  # noqa: F811
    assert nbgrader("export", "--to", "n.csv") == 0
    return column(course / "n.csv", "score")


def impatient(course, monkeypatch):  # noqa: F811
    """A gradebook that is waited for as briefly as can be."""
    monkeypatch.setattr(recorder, "PAUSE", 0.0)
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text().replace("timeout=60", "timeout=0.1"))


def locked(course):  # noqa: F811
    """The gradebook in the hands of another program."""
    other = sqlite3.connect(course / "grading" / "gradebook.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return closing(other)


def rows(course) -> list[str]:  # noqa: F811
    """Who has a row in the gradebook, with a submission or without."""
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        return [student.id for student in book.students]


def test_a_gradebook_that_is_locked_for_a_while_gets_everybody_at_the_end(
    course,  # noqa: F811
    monkeypatch,
    capsys,
):
    for name in ("ada", "bob", "eve"):
        hand_in(course, name, double=DOUBLE)
    impatient(course, monkeypatch)
    put, opened = records.Records.put, []

    def locked_at_first(self, *arguments):
        if not opened:
            opened.append(locked(course).__enter__())
        return put(self, *arguments)

    monkeypatch.setattr(records.Records, "put", locked_at_first)
    monkeypatch.setattr(recorder.time, "sleep", lambda _: opened[0].close())
    assert run(course) == 0
    assert gradebook(course) == {"ada": 4, "bob": 4, "eve": 4} == exported(course)
    assert "not in the gradebook" not in capsys.readouterr().err


def test_a_locked_gradebook_is_told_and_mended_by_one_command(
    course,  # noqa: F811
    monkeypatch,
    capsys,
):
    hand_in(course, "ada", double=DOUBLE)
    assert run(course) == 0
    for name in ("bob", "eve"):
        hand_in(course, name, double=DOUBLE, triple=TRIPLE)
    impatient(course, monkeypatch)
    monkeypatch.setattr(gradebooks.Course, "_register", lambda self: None)
    with locked(course):
        assert run(course) == 3
    said = capsys.readouterr().err
    assert "locked" in said and all(f"  {name}: " in said for name in ("bob", "eve"))
    assert "Traceback" not in said and "ada" not in said.replace(str(course), "")
    # Nothing that could be taken for a score, anywhere.
    assert gradebook(course) == {"ada": 4} == exported(course) and rows(course) == ["ada"]
    for step in ("autograded", "feedback"):
        assert [path.name for path in (course / "grading" / step).iterdir()] == ["ada"]
    command = said.strip().splitlines()[-1].split()
    assert command[:2] == ["autograder", "record"] and cli.main(command[1:]) == 0
    assert gradebook(course) == {"ada": 4, "bob": 6, "eve": 6} == exported(course)
    assert "✓ passed" in visible(body(course, "bob"))


def test_a_process_that_dies_while_it_records_leaves_no_half_of_it(
    course,  # noqa: F811
    monkeypatch,
):
    hand_in(course, "ada", double=DOUBLE)
    assert run(course) == 0
    path = hand_in(course, "bob", double=DOUBLE, triple=TRIPLE)

    class Killed(BaseException):
        pass

    for step in ("_write", "_penalise"):
        with monkeypatch.context() as patch:
            old = getattr(records.Records, step)

            def dies(self, *arguments):
                old(self, *arguments)
                raise Killed

            patch.setattr(records.Records, step, dies)
            with pytest.raises(Killed):
                run(course, "--again")
        assert gradebook(course) == {"ada": 4} == exported(course)
    assert run(course) == 0 and gradebook(course) == {"ada": 4, "bob": 6}
    # Nor of a second time, when there is a first.
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace("return 3 * x", "return x")
    nbformat.write(notebook, path)
    before = (
        course / "grading" / "autograded" / "bob" / "model_editing" / "3_edit.ipynb"
    ).read_text()
    with monkeypatch.context() as patch:
        patch.setattr(records.Records, "_penalise", dies)
        with pytest.raises(Killed):
            run(course)
    after = course / "grading" / "autograded" / "bob" / "model_editing" / "3_edit.ipynb"
    assert gradebook(course) == {"ada": 4, "bob": 6} and after.read_text() == before
    assert run(course) == 0 and gradebook(course) == {"ada": 4, "bob": 5}


def test_a_full_disk_under_the_gradebook_is_told_and_mended(
    course,  # noqa: F811
    monkeypatch,
    capsys,
):
    hand_in(course, "ada", double=DOUBLE)
    monkeypatch.setattr(recorder, "PAUSE", 0.0)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(gradebooks, "write_graded", full)
        assert run(course) == 3
    said = capsys.readouterr().err
    assert "No space left on device" in said and "autograder record" in said
    assert gradebook(course) == {} and rows(course) == []
    assert run(course, "--submitted", SUBMITTED, command="record") == 0
    assert gradebook(course) == {"ada": 4}


def test_reports_of_several_machines_go_into_one_gradebook(course, capsys):  # noqa: F811
    for name in ("ada", "bob"):
        hand_in(course, name, double=DOUBLE)
    for name in ("ada", "bob"):
        one = ["--students", name, "--no-feedback", "--json", f"{name}.json"]
        one.append("--i-accept-no-isolation")
        assert cli.main(["grade", SUBMITTED, *one, "--course", str(course)]) == 0
    command = ["record", "ada.json", "bob.json", "--submitted", SUBMITTED, "--course", str(course)]
    assert cli.main(command) == 0 and gradebook(course) == {"ada": 4, "bob": 4}
    assert "2 of 2 results" in capsys.readouterr().out
    # Two that differ are not chosen from; what has changed meanwhile is not recorded.
    entries = json.loads((course / "ada.json").read_text())
    entries[0]["tests"][0]["points"] = 0.0
    (course / "other.json").write_text(json.dumps(entries))
    assert cli.main([*command, "other.json"][:3] + ["other.json", *command[3:]]) == 2
    assert "differ on ada" in capsys.readouterr().err
    path = course / SUBMITTED / "bob" / "model_editing" / "3_edit.ipynb"
    path.write_text(path.read_text().replace("return 2 * x", "return 3 * x"))
    assert cli.main(command) == 3
    assert "bob: what was graded is not what lies" in capsys.readouterr().err
    (course / "other.json").write_text("{}")
    assert cli.main(["record", "other.json", *command[3:]]) == 2


def by_hand(course, points):  # noqa: F811
    """The staff gives points for ada's written answer, and overrides a test."""
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        for cell, given in (("written_why", points), ("test_triple", 1.5)):
            grade = book.find_grade(cell, "3_edit", "model_editing", "ada")
            grade.manual_score, grade.needs_manual_grade = given, False
        book.db.commit()


def waiting(course) -> set[str]:  # noqa: F811
    """The cells of ada's that a person has to look at."""
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        submission = book.find_submission("model_editing", "ada")
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        return {grade.name for grade in grades if grade.needs_manual_grade}


def rewritten(path: Path, **cells) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.source = cells.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    nbformat.write(notebook, path)


def test_what_was_graded_by_hand_stays_done_while_its_answer_is_the_same(course):  # noqa: F811
    path = hand_in(course, "ada", double=DOUBLE, written_why="Because.")
    assert run(course) == 0 and waiting(course) == {"written_why"}
    by_hand(course, 3)
    assert run(course, "--again") == 0 and waiting(course) == set()
    assert gradebook(course) == {"ada": 4 + 3 + 1.5}
    rewritten(path, double="def double(x):\n    return x")
    assert run(course) == 0 and waiting(course) == set()
    assert gradebook(course) == {"ada": 2 + 3 + 1.5}
    rewritten(path, triple=TRIPLE)  # what was overridden is another score now
    assert run(course) == 0 and waiting(course) == {"test_triple"}
    rewritten(path, written_why="Because of the key.")
    assert run(course) == 0 and waiting(course) == {"test_triple", "written_why"}
    by_hand(course, 2)
    assert run(course, "--again") == 0 and waiting(course) == set()


def test_formgrader_shows_submissions_that_lie_elsewhere(course, monkeypatch):  # noqa: F811
    for name in ("ada", "bob"):
        folder = hand_in(course, name, double=DOUBLE).parent
        (folder / "timestamp.txt").write_text("2026-11-20 10:00:00 UTC")
    shutil.move(course / SUBMITTED, course / "class")
    hand_in(course, "bob", triple=TRIPLE)  # a student's own is never written over
    own = (course / SUBMITTED / "bob" / "model_editing" / "3_edit.ipynb").read_bytes()
    assert run(course, submitted="class") == 0
    config = config_of(course)
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert api.get_assignment("model_editing")["num_submissions"] == 2
    ada = api.get_submission("model_editing", "ada")
    assert ada["autograded"] and ada["score"] == 4 and "2026-11-20" in ada["timestamp"]
    assert (course / SUBMITTED / "bob" / "model_editing" / "3_edit.ipynb").read_bytes() == own
    # What is shown can be graded by nbgrader, to the same scores.
    shutil.rmtree(course / SUBMITTED / "bob")
    assert run(course, "--again", submitted="class") == 0
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("A", {}))
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert gradebook(course) == {"ada": 4, "bob": 4}


def test_late_submissions_are_penalised_by_the_courses_rule(course):  # noqa: F811
    (course / "late.py").write_text(
        "from nbgrader.plugins import BasePlugin\n\n\nclass Late(BasePlugin):\n"
        "    def late_submission_penalty(self, student_id, score, total_seconds_late):\n"
        "        return score / 4\n"
    )
    with (course / "nbgrader_config.py").open("a") as file:
        file.write("sys.path.insert(0, str(root))\n")
        file.write("c.AssignLatePenalties.plugin_class = 'late.Late'\n")
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        book.update_or_create_assignment("model_editing", duedate="2026-11-01 10:00:00 UTC")
    for name, time in (("ada", "2026-11-01 09:00:00 UTC"), ("bob", "2026-11-01 11:00:00 UTC")):
        folder = hand_in(course, name, double=DOUBLE).parent
        (folder / "timestamp.txt").write_text(time)
    assert run(course) == 0
    assert exported(course) == {"ada": 4, "bob": 3}


def test_what_cannot_be_recorded_for_its_name_has_no_command_that_mends_it(
    course,  # noqa: F811
    capsys,
):
    hand_in(course, "a[b]", double=DOUBLE)
    assert run(course) == 3
    said = capsys.readouterr().err
    assert "rename the folder" in said and "Traceback" not in said


def test_a_gradebook_that_was_moved_away_is_filled_again(course):  # noqa: F811
    hand_in(course, "ada", double=DOUBLE)
    assert run(course) == 0
    (course / "grading" / "gradebook.db").unlink()
    assert run(course) == 0 and gradebook(course) == {"ada": 4}


def test_an_error_of_a_course_names_the_command_too(course, monkeypatch, capsys):  # noqa: F811
    hand_in(course, "ada", double=DOUBLE)

    def fails(self):
        raise KeyholeError("the gradebook does not take it")

    with monkeypatch.context() as patch:
        patch.setattr(gradebooks.Course, "_register", fails)
        assert run(course) == 3
    assert "autograder record" in capsys.readouterr().err and gradebook(course) == {}
    assert run(course, "--submitted", SUBMITTED, command="record") == 0
    assert gradebook(course) == {"ada": 4}
