"""A batch that is run again goes on from where it ended, and gives the report of one run."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from distributed.scheduler import KilledWorker

from autograder import cli, hidden
from autograder import grade as grading
from autograder.commands import batch
from autograder.grade import Grader
from autograder.result import Bonus, Result, TestResult, read_json, write_json
from autograder.running import kept as keeping
from autograder.running import reports, version
from autograder.running.workers import Workers
from autograder.sandbox import isolation
from autograder.sandbox.limits import Limits
from autograder.submissions.folder import digest_of
from tests.standins import (
    DOUBLE,
    TESTS,
    TRIPLE,
    HiddenTest,
    InThisProcess,
    PickledTasks,
    registry,
    times,
)
from tests.test_grade import hand_in

NAMES = ("ada", "bob", "eve")


@pytest.fixture
def a_class(tmp_path, monkeypatch):
    monkeypatch.setattr(grading, "Sandbox", InThisProcess)
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("E", {}))
    monkeypatch.setattr(hidden, "NOTEBOOKS", TESTS)
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(tmp_path / "secret.key"))
    for name in NAMES:
        hand_in(tmp_path / "in" / name / "model_editing", DOUBLE)
    return tmp_path


def run(folder, *options):
    where = [str(folder / "in"), "--json", str(folder / "r.json"), "--no-feedback"]
    return cli.main(["grade", *where, "--jobs", "1", "--i-accept-no-isolation", *options])


def report(folder):
    """The entries, without what may differ."""
    entries = json.loads((folder / "r.json").read_text())
    return [{key: value for key, value in each.items() if key != "seconds"} for each in entries]


@pytest.fixture
def graded(monkeypatch):
    """Who is graded from here on."""
    names, grade_read = [], batch.grade_read
    monkeypatch.setattr(
        batch,
        "grade_read",
        lambda read, name, *rest: names.append(name) or grade_read(read, name, *rest),
    )
    return names


def test_a_second_run_grades_only_what_is_new_or_changed(a_class, graded, capsys):
    assert run(a_class) == 0 and graded == list(NAMES)
    first, said = report(a_class), capsys.readouterr().out
    assert "taken over" not in said
    graded.clear()
    assert run(a_class) == 0 and graded == [] and report(a_class) == first
    assert "3 of 3 taken over" in capsys.readouterr().out
    hand_in(a_class / "in" / "bob" / "model_editing", DOUBLE, TRIPLE)
    hand_in(a_class / "in" / "zoe" / "model_editing", TRIPLE)
    assert run(a_class) == 0 and graded == ["bob", "zoe"]
    resumed = report(a_class)
    graded.clear()
    assert run(a_class, "--again") == 0 and graded == [*NAMES, "zoe"] and report(a_class) == resumed
    shutil.rmtree(a_class / "in" / "ada")
    assert run(a_class) == 0 and [each["student"] for each in report(a_class)] == [
        "bob",
        "eve",
        "zoe",
    ]


def test_a_batch_that_stops_in_the_middle_goes_on_from_there(a_class, graded, monkeypatch, capsys):
    assert run(a_class, "--json", str(a_class / "whole.json")) == 0
    with monkeypatch.context() as patch:
        wrapped = batch.grade_read

        def stops(read, name, *rest):
            if name == "bob":
                raise KeyboardInterrupt
            return wrapped(read, name, *rest)

        patch.setattr(batch, "grade_read", stops)
        assert run(a_class) == 130
    assert "goes on from here" in capsys.readouterr().err
    assert [each["student"] for each in report(a_class)] == ["ada"]
    graded.clear()
    assert run(a_class) == 0 and graded == ["bob", "eve"]
    whole = read_json(a_class / "whole.json")
    assert [(r.student, r.tests) for r in read_json(a_class / "r.json")] == [
        (r.student, r.tests) for r in whole
    ]


@pytest.mark.parametrize("what", ["secret", "limits", "time", "language", "version", "tests"])
def test_whatever_decides_on_a_result_makes_it_a_new_one(a_class, graded, monkeypatch, what):
    assert run(a_class) == 0
    graded.clear()
    options = []
    if what == "secret":
        assert cli.main(["secret", "new"]) == 0
    elif what == "limits":
        monkeypatch.setattr(Limits, "read", lambda path: Limits(memory_mb=2000))
    elif what == "time":
        options = ["--timeout", "5"]
    elif what == "language":
        options = ["--lang", "zh-TW"]
    elif what == "version":
        monkeypatch.setattr(keeping, "grader_version", lambda: "another")
    else:
        tests = registry(
            *TESTS["3_edit"].cells["test_double"], HiddenTest("triple.plain", 1, times(3))
        )
        monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    assert run(a_class, *options) == 0 and graded == list(NAMES)


def test_a_result_of_a_weaker_isolation_or_of_a_failing_grader_is_not_taken_over(tmp_path):
    grader = Grader(TESTS, b"s")

    def keep(result):
        keeping.KeptResults(tmp_path, grader, "a", "E").keep(result, "hash")

    def taken(level):
        return keeping.KeptResults(tmp_path, grader, "a", level).result_of("ada", "hash")

    test = TestResult("double.plain", "3_edit", 1, 3, "fail", "No.")
    keep(Result("ada", "a", "graded", None, "C", 1.0, (test,)))
    assert taken("A") is taken("B") is None
    assert taken("C") == taken("E") and taken("C").tests == (test,)
    (path,) = tmp_path.glob("*.json")
    whole = path.read_text()
    for damaged in ("", "[]", '{"made_from": 1}', "\x00"):
        path.write_text(damaged)
        assert taken("E") is None
    path.write_text(whole)
    assert taken("E")
    bonus = Bonus(1.0, 5.0, "S 40.", "Blue Fox", ("simple",), {"S": 0.4})
    keep(Result("ada", "a", "graded", None, "C", 1.0, (test,), bonus=bonus))
    assert taken("E").bonus == bonus
    ours = Result("ada", "a", "graded", None, "C", 1.0, (replace(test, our_fault=True),))
    for failed in (ours, replace(ours, tests=(test,), bonus=replace(bonus, our_fault=True))):
        path.write_text(whole)
        keep(failed)
        assert taken("E") is None and not path.exists()


def test_kept_results_hold_no_secret_and_are_for_the_staff(a_class):
    assert run(a_class) == 0
    key = (a_class / "secret.key").read_text().strip()
    made = [path for path in a_class.rglob("*.json") if "in" not in path.parts[-3:]]
    assert len(made) == 1 + len(NAMES)
    for path in made:
        assert key not in path.read_text() and path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["x" * 250, "two\nlines", "a b"])
def test_any_name_of_a_folder_can_be_kept(a_class, graded, name):
    hand_in(a_class / "in" / name / "model_editing", DOUBLE)
    assert run(a_class) == 0 and run(a_class) == 0 and graded == sorted([*NAMES, name])


def test_a_hash_is_of_what_was_handed_in_and_of_nothing_else(tmp_path):
    folder = hand_in(tmp_path / "one" / "ada" / "model_editing", DOUBLE)
    copy = tmp_path / "two" / "ada" / "model_editing"
    shutil.copytree(folder, copy)
    os.utime(copy / "3_edit.ipynb", (1, 1))
    before = digest_of(folder)
    assert digest_of(copy) == before == digest_of(folder)
    seen = {before}
    for change in (
        lambda: (folder / "my_fact.json").write_text("{}"),
        lambda: (folder / "my_fact.json").write_text("[]"),
        lambda: (folder / "my_edits.safetensors").write_bytes(b"one"),
        lambda: (folder / "my_edits.safetensors").write_bytes(b"two"),
        lambda: (folder / "deeper").mkdir(),
        lambda: (folder / "deeper" / "1_measure.ipynb").symlink_to(folder / "3_edit.ipynb"),
        lambda: folder.parent.with_name("ada.zip").write_bytes(b"PK"),
        lambda: (folder / "3_edit.ipynb").unlink(),
        lambda: shutil.rmtree(folder.parent),
    ):
        change()
        assert digest_of(folder) not in seen
        seen.add(digest_of(folder))


def test_the_report_is_written_at_intervals_and_at_the_end(a_class, monkeypatch):
    written, clock = [], [0.0]
    monkeypatch.setattr(reports.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        reports,
        "write_json",
        lambda path, results: written.append(len(results)) or write_json(path, results),
    )
    each = reports.Reports(a_class / "r.json", None, lambda results: "")
    for _ in range(100):
        if each.due:
            each.write([])
        clock[0] += 1
    assert len(written) == 100 // reports.SECONDS - (100 % reports.SECONDS == 0)
    written.clear()
    assert run(a_class) == 0 and written == [len(NAMES)]


@pytest.mark.parametrize("where", ["report", "kept"])
def test_a_disk_that_is_full_ends_the_batch_in_a_sentence(a_class, monkeypatch, capsys, where):
    assert run(a_class) == 0
    before = (a_class / "r.json").read_bytes()
    hand_in(a_class / "in" / "zoe" / "model_editing", TRIPLE)
    with monkeypatch.context() as patch:

        def full(path, text):
            if (path.parent.suffix == keeping.FOLDER) == (where == "kept"):
                raise OSError(28, "No space left on device")

        patch.setattr(keeping, "write_text", full)
        patch.setattr("autograder.result.write_text", full)
        assert run(a_class) == 1
    said = capsys.readouterr().err
    assert "No space left on device" in said and "last good report" in said
    assert "Traceback" not in said and (a_class / "r.json").read_bytes() == before
    assert run(a_class) == 0 and len(report(a_class)) == 4


def test_the_version_is_that_of_code_data_and_packages(tmp_path, monkeypatch):
    one = version.grader_version.__wrapped__()
    assert version.grader_version.__wrapped__() == one
    (tmp_path / "facts.json").write_text("[]")
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    other = version.grader_version.__wrapped__()
    (tmp_path / "sample_class").mkdir()
    (tmp_path / "sample_class" / "a.py").write_text("")
    assert other != one and version.grader_version.__wrapped__() == other
    monkeypatch.setattr(version, "version", lambda package: "another")
    assert version.grader_version.__wrapped__() not in (one, other)


def test_a_submission_that_kills_workers_is_graded_alone_at_last():
    rounds = []

    class Mortal(Workers):
        def __init__(self, deadly):
            self.deadly = deadly

        def _together(self, waiting):
            rounds.append(list(waiting))
            for work, task in rounds[-1]:
                dies = work in self.deadly and (len(rounds) == 1 or work == "cid")
                yield work, task, KilledWorker("key", None, 3) if dies else f"result of {work}"

    tasks = [(name, f"task of {name}") for name in ("ada", "bob", "cid", "dan")]
    found = dict(Mortal({"bob", "cid"}).results(tasks))
    assert rounds == [tasks, [tasks[1]], [tasks[2]]]
    expected = {name: f"result of {name}" for name in ("ada", "bob", "dan")}
    assert found == expected | {"cid": None}


def test_who_kills_every_worker_gets_no_result_and_no_zero(a_class, monkeypatch, capsys):
    class BobKills(PickledTasks):
        def results(self, tasks):
            for work, result in super().results(tasks):
                yield work, None if work.student == "bob" else result

    monkeypatch.setattr(Workers, "here", BobKills)
    assert run(a_class, "--jobs", "2") == 3
    assert [entry["student"] for entry in report(a_class)] == ["ada", "eve"]
    assert "bob was not graded" in capsys.readouterr().err
    monkeypatch.setattr(Workers, "here", PickledTasks)
    assert run(a_class, "--jobs", "2") == 0
    assert [entry["score"] for entry in report(a_class)] == [4, 4, 4]
