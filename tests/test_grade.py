"""One submission -> Result, the report, and the command.

Stand-ins take the place of the course's hidden tests.
"""

import csv
import errno
import json
import math
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch

from autograder import cli, hidden, secret
from autograder import grade as grading
from autograder import result as results
from autograder.commands.tables import as_csv, as_table, progress
from autograder.grade import Grader, grade_submission
from autograder.making import sample_edits
from autograder.result import Bonus, Result, TestResult, name_shown
from autograder.running.workers import Workers
from autograder.sandbox import Reply, StudentFailed, isolation
from autograder.submissions.copies import STAFF
from keyhole.checking.judging import Verdict
from keyhole.messages import Remark, sentences
from keyhole.notebooks.definitions import definitions
from keyhole.terminal import columns
from keyhole.text import one_line
from tests.ordinary import as_ordinary_user, open_up
from tests.standins import (
    DOUBLE,
    HOSTILE,
    TESTS,
    TRIPLE,
    HiddenTest,
    InThisProcess,
    PickledTasks,
    feedback,
    registry,
    said,
    sentence,
    times,
)

GRADED = (
    "double",
    "triple",
    "test_double",
    "test_triple",
    "test_mine",
)  # cells that a whole notebook has


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(grading, "Sandbox", InThisProcess)
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("A", {}))
    monkeypatch.setattr(Workers, "here", PickledTasks)


def hand_in(folder, *cells, name="3_edit"):
    folder.mkdir(parents=True, exist_ok=True)
    ids = [re.findall(r"def (\w+)|$", cell)[0] or f"cell{i}" for i, cell in enumerate(cells)]
    cells = [*cells, *("" for blank in GRADED if blank not in ids)]
    ids += [blank for blank in GRADED if blank not in ids]
    marked = [
        nbformat.v4.new_code_cell(cell, metadata={"nbgrader": {"grade_id": name}})
        for cell, name in zip(cells, ids, strict=True)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=marked), folder / f"{name}.ipynb")
    return folder


def grade(folder, notebooks=TESTS):
    return grade_submission(folder, "ada", Grader(notebooks, secret.TEST_SECRET))


def verdicts(result):
    return {test.id: (test.verdict, test.points) for test in result.tests}


def test_right_functions_get_all_points(tmp_path, quick):
    result = grade(hand_in(tmp_path, DOUBLE, TRIPLE))
    assert (result.status, result.reason, result.score, result.max_score, result.isolation) == (
        "graded",
        None,
        6,
        6,
        "E",
    )


def test_partial_credit_and_misconception(tmp_path, quick):
    result = grade(hand_in(tmp_path, DOUBLE, "def triple(x):\n    return x"))
    wrong = result.tests[-1]
    assert (wrong.verdict, wrong.points, wrong.misconception) == ("fail", 1, "other_factor")


def test_blank_and_absent_functions_are_missing_not_errors(tmp_path, quick):
    result = grade(
        hand_in(tmp_path, "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    )
    assert verdicts(result) == dict.fromkeys(
        ["double.plain", "double.again", "triple.plain"], ("missing", 0)
    )
    assert "blank" in result.tests[0].message and "no function" in result.tests[2].message
    assert result.status == "graded"


def test_of_a_function_that_is_made_by_a_call_that_is_said(tmp_path, quick):
    result = grade(hand_in(tmp_path, "double = partial(mul, 2)", TRIPLE))
    assert [(test.verdict, test.message) for test in result.tests[:2]] == 2 * [
        ("missing", feedback("no_def", function="double"))
    ] and result.tests[2].points == 2


def test_syntax_error_costs_its_own_cell_only(tmp_path, quick):
    result = grade(hand_in(tmp_path, "def double(x:\n    return 2", TRIPLE))
    assert verdicts(result) == {
        "double.plain": ("error", 0),
        "double.again": ("error", 0),
        "triple.plain": ("pass", 2),
    }


def test_after_a_timeout_the_functions_other_tests_do_not_run(tmp_path, quick):
    result = grade(hand_in(tmp_path, "def double(x):\n    raise TimeoutError", TRIPLE))
    assert verdicts(result) == {
        "double.plain": ("timeout", 0),
        "double.again": ("timeout", 0),
        "triple.plain": ("pass", 2),
    }
    assert "Not run" in result.tests[1].message


def file_test(trial):
    there = (trial.folder / "mine.json").exists()
    remark = said("It was read." if there else "There is no mine.json.")
    return Verdict(float(there), (remark,), status="missing")


def test_a_test_of_files_needs_no_function_and_runs_whatever_the_functions_did(tmp_path, quick):
    tests = registry(
        HiddenTest("double.plain", 3, times(2)),
        HiddenTest("mine.file", 1, file_test, of_files=True),
    )
    folder = hand_in(
        tmp_path,
        "def double(x):\n    raise TimeoutError",
        "def mine():\n    raise NotImplementedError()",
    )
    assert verdicts(grade(folder, tests)) == {
        "double.plain": ("timeout", 0),
        "mine.file": ("missing", 0),
    }
    (folder / "mine.json").write_text("{}")
    assert verdicts(grade(folder, tests))["mine.file"] == ("pass", 1)
    unmarked = hand_in(tmp_path / "other", "mine = 3")
    assert grade(unmarked, tests).status == "graded"


def test_name_made_by_a_call_is_explained(tmp_path, quick):
    result = grade(hand_in(tmp_path, "factor = int('2')", "def double(x):\n    return factor * x"))
    assert feedback("set_by_call", variable="factor", number=1) in result.tests[0].message


@pytest.mark.parametrize(
    "change", ["FACTOR = int(3)", "for _ in range(2):\n    FACTOR += 1", "FACTOR = %time go()"]
)
def test_of_a_constant_that_a_dropped_line_changes_that_is_said_and_nothing_is_laid_on_it(
    tmp_path, quick, change
):
    triple = "def triple(x):\n    return FACTOR * x"
    result = grade(hand_in(tmp_path, "FACTOR = 1", DOUBLE, triple, change))
    wrong = result.tests[-1]
    assert (wrong.verdict, wrong.points, wrong.misconception) == ("fail", 1, None)
    assert wrong.message.endswith(feedback("changed_later", variable="FACTOR", number=4))
    raising = "def triple(x):\n    raise IndexError(f'index {FACTOR} out of range')"
    wrong = grade(hand_in(tmp_path, "FACTOR = 1", DOUBLE, raising, change)).tests[-1]
    assert wrong.verdict == "error" and wrong.misconception is None
    assert wrong.message.endswith(feedback("changed_later", variable="FACTOR", number=4))


def test_a_constant_changed_by_a_line_that_calls_nothing_has_its_last_value(tmp_path, quick):
    triple = "def triple(x):\n    return FACTOR * x"
    result = grade(hand_in(tmp_path, "FACTOR = 1", DOUBLE, triple, "FACTOR *= 3"))
    assert result.score == result.max_score


def test_what_only_a_newer_python_has_is_laid_on_that(tmp_path, quick):
    double = "def double(x):\n    import math\n    return math.of_a_later_python(x)"
    path = hand_in(tmp_path, double, TRIPLE) / "3_edit.ipynb"
    notebook = nbformat.read(path, 4)
    for version, says in (("9.13.0", True), ("3.11.0", False)):
        notebook.metadata["language_info"] = {"name": "python", "version": version}
        nbformat.write(notebook, path)
        assert ("saved by Python 9.13" in grade(tmp_path).tests[0].message) == says


OURS = [
    "raise ValueError('hidden')",
    "return None",
    "return Verdict(float('nan'))",
    "return Verdict(7.0)",
]


@pytest.mark.parametrize("break_it", OURS)
def test_a_broken_test_of_ours_costs_itself_only(tmp_path, quick, break_it, caplog):
    names = {"Verdict": Verdict}
    exec(f"def broken(trial):\n    {break_it}", names)
    result = grade(
        hand_in(tmp_path, DOUBLE, TRIPLE),
        registry(
            HiddenTest("double.broken", 3, names["broken"]), HiddenTest("triple.plain", 2, times(3))
        ),
    )
    assert verdicts(result)["triple.plain"] == ("pass", 2)
    assert 0 <= result.tests[0].points <= 3
    if "Verdict" not in break_it:
        assert verdicts(result)["double.broken"] == ("error", 0)
        assert "course staff" in result.tests[0].message and "hidden" not in result.tests[0].message
        assert "double.broken" in result.reason


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"{}", b"\xff\xfe\x00", b'{"cells": [{"source": 7}]}', b"[" * 100_000],
)
def test_unreadable_notebooks_fail_with_a_reason(tmp_path, quick, content):
    if content is not None:
        (tmp_path / "3_edit.ipynb").write_bytes(content)
    result = grade(tmp_path)
    assert result.status == "failed" and result.reason and result.score == 0
    assert {test.verdict for test in result.tests} == {"missing"} and len(result.tests) == 3


def test_a_link_to_the_staffs_solution_is_not_followed(tmp_path, quick):
    solution = hand_in(tmp_path / "staff", DOUBLE, TRIPLE) / "3_edit.ipynb"
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "3_edit.ipynb").symlink_to(solution)
    assert grade(tmp_path / "student").score == 0


def test_the_timeout_option_only_tightens(tmp_path):
    seen = []
    grader = Grader(TESTS, b"", seconds=1.0)
    sandbox = SimpleNamespace(call=lambda *_, seconds: seen.append(seconds))
    sitting = grading.Sitting(grader, sandbox, TESTS["3_edit"], None)
    trial = grading.SandboxTrial(sitting, "double.x", 5)
    with grader.lock:
        trial.call()
        trial.call(seconds=0.5)
    assert seen == [1.0, 0.5]


def test_students_code_runs_outside_the_lock_and_ours_inside(tmp_path, quick, monkeypatch):
    grader = Grader(TESTS, secret.TEST_SECRET)
    locked = []
    monkeypatch.setattr(
        InThisProcess,
        "call",
        lambda *_, **__: locked.append(grader.lock.locked()) or Reply({"result": torch.zeros(1)}),
    )
    grade_submission(hand_in(tmp_path, DOUBLE), "ada", grader)
    assert locked == [False, False] and not grader.lock.locked()


# Solutions of which one test's verdict depends on another test's.
ASK_OTHERS = {
    "1_measure": (
        "def efficacy(nll_true, nll_new):\n    return (nll_true - nll_new > 0.1).float().mean()"
    ),
    "2_locate": (
        "def indirect_effect(restored, corrupted):\n    return (restored - corrupted).mean().abs()"
    ),
}


@pytest.mark.parametrize("notebook", ASK_OTHERS)
def test_the_order_of_the_hidden_tests_makes_no_difference(tmp_path, quick, monkeypatch, notebook):
    from autograder.hidden import NOTEBOOKS

    source = f"import torch\n{ASK_OTHERS[notebook]}"
    function = re.search(r"def (\w+)", source)[1]
    monkeypatch.setattr(Grader, "model", lambda self: None)
    hidden = NOTEBOOKS[notebook]
    folder = hand_in(tmp_path, "import torch", ASK_OTHERS[notebook], name=notebook)
    found = []
    for turned in (False, True):
        cases = hidden.cells[f"test_{function}"]
        cells = {f"test_{function}": cases[::-1] if turned else cases}
        grader = Grader({notebook: replace(hidden, cells=cells, models=())}, secret.TEST_SECRET)
        result = grade_submission(folder, "ada", grader)
        found.append({t.id: (t.points, t.verdict, t.misconception) for t in result.tests})
        assert [t.id for t in result.tests] == [case.id for case in cells[f"test_{function}"]]
    assert found[0] == found[1]
    names = {name for *_, name in found[0].values()}
    assert names & {"near_tie", "effect_absolute"}, found


# --- the report


def a_test(**changes):
    return TestResult(
        **(
            {
                "id": "f.x",
                "notebook": "n",
                "points": 1,
                "max_points": 2,
                "verdict": "fail",
                "message": "m",
            }
            | changes
        )
    )


@pytest.mark.parametrize(
    "points, kept",
    [
        (math.nan, 0),
        (math.inf, 0),
        (-math.inf, 0),
        (-1, 0),
        (3, 2),
        (1.23456789, 1.2346),
        (True, 1),
    ],
)
def test_points_are_finite_and_clamped(points, kept):
    test = a_test(points=points)
    assert test.points == kept and type(test.points) is float


def test_unknown_verdict_is_refused():
    with pytest.raises(ValueError):
        a_test(verdict="perfect")


def test_report_has_the_agreed_keys_and_comes_back(tmp_path):
    result = Result(
        "ada", "model_editing", "graded", None, "E", 1.5, (a_test(title="t", misconception="c"),)
    )
    results.write_json(tmp_path / "r.json", [result])
    (entry,) = json.loads((tmp_path / "r.json").read_text())
    assert list(entry) == [
        "student",
        "assignment",
        "status",
        "reason",
        "score",
        "max_score",
        "isolation",
        "seconds",
        "tests",
    ]
    assert set(entry["tests"][0]) == {
        "id",
        "notebook",
        "points",
        "max_points",
        "verdict",
        "message",
        "misconception",
        "symptom",
        "diagnosis",
        "title",
    }
    assert results.read_json(tmp_path / "r.json") == [result]


def test_report_survives_a_crash_while_it_is_written(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    path.write_text("before")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError):
        results.write_text(path, "after")
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def test_report_takes_lone_surrogates(tmp_path):
    results.write_json(tmp_path / "r.json", [Result("\udcff", "a", "failed", "\ud800", "E", 0, ())])
    assert json.loads((tmp_path / "r.json").read_text())


# --- the secret


def test_secret_is_made_once_and_private(tmp_path):
    path = tmp_path / "secret.key"
    assert secret.course_secret(path) == secret.course_secret(path)
    assert len(secret.course_secret(path)) == 32 and path.stat().st_mode & 0o777 == 0o600


def test_generators_differ_by_secret_and_by_name():
    def draw(*arguments):
        return torch.rand(4, generator=secret.generator(*arguments)).tolist()

    base = draw(b"s", "f.x", "weight")
    assert base == draw(b"s", "f.x", "weight")
    others = [
        draw(b"t", "f.x", "weight"),
        draw(b"s", "f.y", "weight"),
        draw(b"s", "f.x", "key"),
        draw(b"s", "f.xweight"),
    ]
    assert base not in others


@pytest.mark.parametrize("content", ["", "xyz", "00"])
def test_damaged_secret_says_what_to_do(tmp_path, content):
    (tmp_path / "secret.key").write_text(content)
    with pytest.raises(grading.secrets.KeyholeError, match="remove it"):
        secret.course_secret(tmp_path / "secret.key")


def test_a_new_secret_keeps_the_old_one_beside_it(tmp_path, monkeypatch, capsys):
    path = tmp_path / "secret.key"
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(path))
    assert cli.main(["secret", "new"]) == 0
    first, shown = secret.course_secret(), capsys.readouterr().out
    assert secret.fingerprint(first) in shown and "old one" not in shown
    assert cli.main(["secret", "new"]) == 0
    second, shown = secret.course_secret(), capsys.readouterr().out
    assert second != first and secret.fingerprint(second) in shown and str(path) in shown
    kept = tmp_path / f"secret-{secret.fingerprint(first)}.key"
    assert str(kept) in shown and secret.course_secret(kept) == first
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "secret.key": 0o600,
        kept.name: 0o600,
    }
    assert not any(each.hex() in shown for each in (first, second))
    assert (
        cli.main(["secret", "show"]) == 0
        and secret.fingerprint(second) in capsys.readouterr().out
        and secret.course_secret() == second
    )


def test_a_secret_that_cannot_be_renewed_is_one_sentence_and_stays(tmp_path, monkeypatch, capsys):
    path = tmp_path / "secret.key"
    first = secret.course_secret(path)
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(path))
    monkeypatch.setattr(
        os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    assert cli.main(["secret", "new"]) == 1
    said = capsys.readouterr().err
    assert (
        "No space left" in said and "Traceback" not in said and secret.course_secret(path) == first
    )


def test_the_repository_s_own_secret_is_warned_of(a_class, monkeypatch, capsys):
    run(a_class)
    assert "Warning" not in capsys.readouterr().err
    own = Path(__file__).with_name("secret.key")
    assert secret.course_secret(own) == secret.TEST_SECRET
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(own))
    run(a_class)
    assert "Warning: the secret in use is the repository's own" in capsys.readouterr().err
    assert cli.main(["secret", "show"]) == 0 and "Warning" in capsys.readouterr().err


# --- the command


@pytest.fixture
def a_class(tmp_path, quick, monkeypatch):
    monkeypatch.setattr(hidden, "NOTEBOOKS", TESTS)
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(tmp_path / "secret.key"))
    hand_in(tmp_path / "in" / "zoe" / "model_editing", DOUBLE, TRIPLE)
    hand_in(tmp_path / "in" / "bob" / "model_editing", DOUBLE)
    hand_in(
        tmp_path / "in" / "=cmd" / "model_editing",
        f"def double(x):\n    raise ValueError({HOSTILE!r})",
        TRIPLE,
    )
    (tmp_path / "in" / "eve" / "model_editing").mkdir(parents=True)
    return tmp_path


def run(folder, *options):
    return cli.main(
        ["grade", str(folder / "in"), "--json", str(folder / "r.json"), "--no-feedback", *options]
    )


@pytest.mark.slow
def test_the_client_loads_only_what_each_batch_needs():
    """nbgrader, transformers and the plots that copydetect loads take seconds."""
    code = (
        "import sys, autograder.commands.batch\n"
        "print({'nbgrader', 'transformers', 'copydetect', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_batch_is_complete_ordered_and_ends_with_zero(a_class, capsys, jobs):
    assert run(a_class, "--jobs", jobs, "--csv", str(a_class / "r.csv")) == 0
    entries = json.loads((a_class / "r.json").read_text())
    expected = [
        ("=cmd", 2, "graded"),
        ("bob", 4, "graded"),
        ("eve", 0, "failed"),
        ("zoe", 6, "graded"),
    ]
    assert [(e["student"], e["score"], e["status"]) for e in entries] == expected
    rows = (a_class / "r.csv").read_text().splitlines()
    head = "score,max_score,bonus_in_score,challenge_bonus,reason,told"
    assert rows[0] == f"student,assignment,status,double,triple,{head}"
    assert (
        rows[1].startswith("'=cmd,model_editing,graded,0.0,2.0,2.0,6.0")
        and "no 3_edit.ipynb" in rows[3]
    )
    shown = capsys.readouterr().out
    assert (
        "Isolation level A: namespaces, Landlock and seccomp." in shown
        and "\x1b" not in shown
        and "\u202e" not in shown
    )


def test_the_language_is_the_one_asked_for_else_the_courses(a_class):
    def said(*options):
        assert run(a_class, *options) == 0
        return next(
            test["message"]
            for entry in json.loads((a_class / "r.json").read_text())
            for test in entry["tests"]
            if test["verdict"] == "missing"
        )

    course = a_class / "course"
    course.mkdir()
    (course / "nbgrader_config.py").write_text(
        'c = get_config()\nc.GradeInSandbox.language = "zh-TW"\n'
    )
    assert "筆記本" in said("--lang", "zh-TW") and "notebook" in said(
        "--lang", "en", "--course", str(course)
    )
    assert "筆記本" in said("--course", str(course)) and "notebook" in said()
    (course / "nbgrader_config.py").write_text(
        'c = get_config()\nc.GradeInSandbox.language = "tlh"\n'
    )
    assert run(a_class, "--course", str(course)) == 2
    (course / "nbgrader_config.py").write_text("1 / 0")
    assert "notebook" in said("--lang", "en", "--course", str(course))


def test_only_the_named_students(a_class):
    assert run(a_class, "--students", "zoe,bob") == 0
    assert [e["student"] for e in json.loads((a_class / "r.json").read_text())] == ["bob", "zoe"]


def test_unusable_arguments_end_with_two(a_class, capsys):
    assert run(a_class, "--students", "zoe,nobody") == 2 and "nobody" in capsys.readouterr().err
    assert run(a_class, "--assignment", "other") == 2
    assert run(a_class, "--assignment", "../in") == 2
    assert cli.main(["grade", str(a_class / "nowhere"), "--json", str(a_class / "r.json")]) == 2
    assert cli.main(["grade", str(a_class / "in"), "--json", str(a_class)]) == 2
    assert run(a_class, "--students", " , ") == 2 and "names nobody" in capsys.readouterr().err
    assert run(a_class, "--csv", str(a_class / "in" / ".." / "r.json")) == 2
    assert "the same file" in capsys.readouterr().err
    for place, why in (("in/bob", "--students bob"), ("in/bob/model_editing/3_edit.ipynb", "file")):
        assert cli.main(["grade", str(a_class / place), "--json", str(a_class / "r.json")]) == 2
        assert why in capsys.readouterr().err
    for wrong in (["--jobs", "0"], ["--timeout", "nan"], ["--require-isolation", "Z"]):
        with pytest.raises(SystemExit) as end:
            run(a_class, *wrong)
        assert end.value.code == 2
    assert not (a_class / "r.json").exists()


@pytest.mark.parametrize(
    "jobs, students", [("1", None), ("3", None), ("1", "otto"), ("2", "ann,otto")]
)
def test_likely_copies_are_told_whatever_the_order(
    tmp_path, quick, monkeypatch, capsys, jobs, students
):
    tests = registry(
        HiddenTest("double.plain", 3, times(2)),
        HiddenTest("mine.file", 1, file_test, of_files=True),
    )
    monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    monkeypatch.setattr(
        Grader, "model", lambda self: SimpleNamespace(weight=lambda layer: torch.empty(576, 1536))
    )
    for name, files in (
        ("ann", "hana-other-words"),
        ("bob", "ada-complete"),
        ("otto", "otto-copies-a-fact"),
    ):
        folder = hand_in(tmp_path / "in" / name / "model_editing", DOUBLE)
        for file, content in sample_edits.files_of(files).items():
            (folder / file).write_bytes(content)
    (tmp_path / "in" / "zed").symlink_to(tmp_path / "in" / "ann")  # nobody's own files
    assert run(tmp_path, "--jobs", jobs) == 0
    shown = capsys.readouterr().out
    if students:
        assert run(tmp_path, "--jobs", jobs, "--students", students) == 0
        shown = capsys.readouterr().out
    reasons = {e["student"]: e["reason"] for e in json.loads((tmp_path / "r.json").read_text())}
    assert reasons["bob"] is None and STAFF not in reasons["zed"]
    assert reasons["ann"].count(STAFF) == reasons["otto"].count(STAFF) == 1
    assert (
        "like otto: the same fact" in reasons["ann"]
        and "like ann: the same fact" in reasons["otto"]
    )
    assert (
        "  ann and otto: the same fact (Sagrada Familia: Barcelona → Lisbon), every probe word for"
        " word; the same change of W" in shown
    )


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0 and re.fullmatch(r"Keyhole [\d.]+\n", capsys.readouterr().out)


def test_nothing_is_graded_below_the_required_level(a_class, monkeypatch, capsys):
    monkeypatch.setattr(
        isolation,
        "best",
        lambda: isolation.MachineLevel(
            "C", {"A": "there is no bubblewrap", "B": "Operation not permitted"}
        ),
    )
    assert run(a_class, "--require-isolation", "B") == 2
    said = capsys.readouterr().err
    assert (
        "level B is required" in said
        and "level C: Landlock and seccomp. Not stopped: " in said
        and "no A: there is no bubblewrap; no B: " in said
    )
    assert not (a_class / "r.json").exists()
    assert (
        run(a_class, "--require-isolation", "C") == 0
        and "Isolation level C" in capsys.readouterr().out
    )


def test_without_isolation_hidden_tests_run_only_if_that_is_accepted(a_class, monkeypatch, capsys):
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("E", {}))
    assert run(a_class) == 2
    said = capsys.readouterr().err
    assert (
        "hidden tests are refused" in said
        and "--i-accept-no-isolation" in said
        and not (a_class / "r.json").exists()
    )
    assert (
        run(a_class, "--i-accept-no-isolation") == 0
        and "Isolation level E" in capsys.readouterr().out
    )


def test_a_defect_of_ours_costs_one_student(a_class, monkeypatch, caplog):
    real = grading.read_submission
    monkeypatch.setattr(
        grading,
        "read_submission",
        lambda folder, *a: 1 / 0 if "bob" in str(folder) else real(folder, *a),
    )
    assert run(a_class) == 0
    entries = {e["student"]: e for e in json.loads((a_class / "r.json").read_text())}
    assert (
        entries["bob"]["status"] == "failed"
        and entries["bob"]["max_score"] == 6
        and entries["zoe"]["score"] == 6
    )


def test_threads_share_the_model(monkeypatch):
    import keyhole.models

    made = []
    monkeypatch.setattr(keyhole.models, "load_model", lambda: made.append(1) or object())
    grader = Grader(TESTS, b"")

    def use():
        with grader.lock:
            grader.model()

    threads = [threading.Thread(target=use) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert made == [1]


@pytest.mark.slow
def test_with_the_real_sandbox(tmp_path):
    loop = "def double(x):\n    while True:\n        pass"
    result = grade(hand_in(tmp_path, "import torch", loop, TRIPLE))
    assert verdicts(result) == {
        "double.plain": ("timeout", 0),
        "double.again": ("timeout", 0),
        "triple.plain": ("pass", 2),
    }


def test_an_error_is_quoted_without_what_it_may_tell_of_a_hidden_input():
    cell = nbformat.v4.new_code_cell("def f(x):\n    raise ValueError('mine', x)")
    found = definitions(nbformat.v4.new_notebook(cells=[cell]))

    def explained(code, detail, sent=()):
        return sentences(*grading.explained(StudentFailed(code, detail), "f", found, sent))

    error = "KeyholeError: subject 'Edvard Munch' does not occur in prompt 'Oslo 12.5e-3'"
    quoted = explained("raised", error)
    assert "Munch" not in quoted and "12" not in quoted
    assert quoted.startswith("`f` raised KeyholeError")
    for code, detail in (
        ("raised", "ValueError: no abcd in efgh ijkl"),
        ("raised", "AssertionError: can't find 'zzzz'"),
        ("raised", 'ValueError: "zzzz'),
        ("type", "T_1234"),
    ):
        quoted = explained(code, detail, {"abcd", "efgh", "mine"})
        assert not re.search("abcd|efgh|zzzz|1234", quoted) and quoted.startswith("`f`"), quoted
    assert "my mine" in explained("raised", "ValueError: my mine", {"mine"})
    assert "'mine'" in explained("raised", "ValueError: 'mine' is wrong")
    theirs = "AttributeError: 'Tensor' object has no attribute 'at'"
    assert "'Tensor' object" in explained("raised", theirs)
    assert explained("timeout", 10).count("10") == 1
    ended = StudentFailed("definitions", cause=StudentFailed("raised", "SyntaxError: 'zzzz' 12"))
    [remark] = grading.explained(ended, "f", found)
    assert str(remark) == "your definitions did not run: raised SyntaxError: ‘…’ …."
    slow = StudentFailed("definitions", cause=StudentFailed("timeout", "10"))
    assert "10 s" in str(grading.explained(slow, "f", found)[0])  # the grader's own number


def test_an_error_is_told_with_the_students_own_line():
    found = definitions(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1")]))
    failure = StudentFailed("raised", "ValueError: 'zzzz' 12.", line="y = x[12] + 'zzzz'")
    [remark] = grading.explained(failure, "f", found)
    assert str(remark) == ("`f` raised ValueError: ‘…’ …, in the line `y = x[12] + 'zzzz'`.")


def test_where_nothing_explains_a_mistake_an_example_is_shown(tmp_path, quick):
    example = Remark("example", {"how": "", "call": "f(1)", "got": "2", "right": "3"}, "SYMPTOMS")
    silent = Verdict(0.0, (said("It is wrong."),))
    cells = {"test_double": (HiddenTest("double.plain", 3, lambda trial: silent),)}
    cells["test_triple"] = (HiddenTest("triple.plain", 2, times(3)),)
    notebooks = {"3_edit": SimpleNamespace(cells=cells, example=lambda trial: example)}
    result = grade(hand_in(tmp_path, DOUBLE, TRIPLE.replace("3", "4")), notebooks)
    told = {test.id: (test.symptom, test.misconception) for test in result.tests}
    assert told == {"double.plain": ("example", None), "triple.plain": (None, "other_factor")}
    assert result.tests[0].message == f"It is wrong. {example}"
    notebooks = {"3_edit": SimpleNamespace(cells=cells, example=lambda trial: 1 / 0)}
    [broken, _] = grade(hand_in(tmp_path, DOUBLE, TRIPLE), notebooks).tests
    assert (broken.symptom, broken.message) == (None, "It is wrong.")


# --- what cannot be read, and names


def test_who_cannot_be_read_costs_no_other_a_row(tmp_path, quick, monkeypatch, capsys):
    """Also where the files of the class are compared."""
    tests = registry(
        HiddenTest("double.plain", 3, times(2)),
        HiddenTest("mine.file", 1, file_test, of_files=True),
    )
    monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    model = SimpleNamespace(weight=lambda layer: torch.empty(576, 1536))
    monkeypatch.setattr(Grader, "model", lambda self: model)
    names = ("ann", "bob", "cho", "dan", "eve")
    folders = [hand_in(tmp_path / "in" / name / "model_editing", DOUBLE) for name in names]
    for folder in folders:
        for file, content in sample_edits.files_of("hana-other-words").items():
            (folder / file).write_bytes(content)
    shut = {
        "bob": folders[1].parent,
        "cho": folders[2],
        "dan": folders[3] / "3_edit.ipynb",
        "eve": folders[4] / "my_fact.json",
    }
    for path in shut.values():
        path.chmod(0)
    try:
        with as_ordinary_user():
            for options in ((), ("--students", "ann"), ("--students", "bob,eve", "--jobs", "3")):
                assert run(tmp_path, *options) == 0
                said = capsys.readouterr()
                assert "Traceback" not in said.err
                entries = {e["student"]: e for e in json.loads((tmp_path / "r.json").read_text())}
                scores = dict.fromkeys(names, 0) | {"ann": 3, "eve": 3}
                assert {name: entry["score"] for name, entry in entries.items()} == scores
                for name, path in shut.items():
                    end = "" if path.is_file() else "/"
                    shown = path.name + end if name != "bob" else "bob/"
                    why = sentence("unread", place=shown, why=os.strerror(errno.EACCES))
                    assert why in entries[name]["reason"]
    finally:
        open_up(tmp_path / "in")


@pytest.mark.parametrize("mode", [0, 0o444])
def test_a_class_that_cannot_be_read_is_one_sentence(a_class, capsys, mode):
    (a_class / "in").chmod(mode)
    try:
        with as_ordinary_user():
            status = run(a_class)
    finally:
        (a_class / "in").chmod(0o755)
    said = capsys.readouterr()
    if mode:  # the names can be read
        entries = json.loads((a_class / "r.json").read_text())
        assert status == 0 and all("cannot be read" in entry["reason"] for entry in entries)
    else:
        assert status == 2 and said.err.endswith("cannot be read: Permission denied\n")


NAMES = ("ada", "陳大文", " blank", "red\x1b[31m\u202e", "a;=1+1", "＝1+1", "b\t;\r@x")


def test_a_table_has_straight_columns_and_shows_what_names_hide():
    rows = [Result(name, "model_editing", "graded", None, "E", 0.0, (a_test(),)) for name in NAMES]
    lines = as_table(rows).splitlines()
    assert len({columns(line.partition("f 1")[0]) for line in lines[3:]}) == 1
    shown = "\n".join(lines + [progress(row, 2, 3, 3.0, 1.0) for row in rows])
    assert all(c.isprintable() or c == "\n" for c in shown) and "\\x1b[31m\\u202e" in shown
    assert "\n blank" in shown and "陳大文" in shown
    assert {columns(progress(row, 2, 3, 3.0, 1.0)) for row in rows} == {
        columns(progress(rows[0], 2, 3, 3.0, 1.0))
    }


def test_the_csv_says_what_of_the_score_is_bonus():
    tests = (a_test(), a_test(id="g.x", notebook="5_learn_to_edit", points=1.5))
    made = Result("ada", "a", "graded", None, "E", 0.0, tests, bonus=Bonus(3.0, 5.0, "", "Otter"))
    [row] = csv.DictReader(as_csv([made]).splitlines())
    names = ("score", "max_score", "bonus_in_score", "challenge_bonus")
    assert [float(row[name]) for name in names] == [2.5, 2.0, 1.5, 3.0]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_no_cell_of_the_csv_is_a_formula_in_any_locale(delimiter):
    rows = [Result(name, name, "failed", f"a; b\n;=1+1 {name}", "E", 0, ()) for name in NAMES]
    text = as_csv(rows)
    assert all(c.isprintable() or c == "\n" for c in text)
    for row in csv.reader(text.splitlines(), delimiter=delimiter):
        assert not [cell for cell in row if re.match(r'"?[=+\-@＝＋－＠]', cell.strip())]
        assert len(row) == (9 if delimiter == "," else 1)


def test_a_name_that_an_ascii_locale_splits_is_put_together_again():
    name, spoilt = "陳大文", "陳".encode("cp950")
    assert name_shown(name.encode().decode("ascii", "surrogateescape")) == name
    assert one_line(name.encode().decode("ascii", "surrogateescape")) == name
    assert name_shown(spoilt.decode("ascii", "surrogateescape")) == "\\udcb3\\udcaf"
    assert one_line(spoilt.decode("ascii", "surrogateescape")) == "\ufffd\ufffd"


def test_the_time_left_is_told_by_the_others_since_the_first_waits_for_what_a_class_shares():
    row = Result("ada", "model_editing", "graded", None, "E", 1.0, (a_test(),))
    assert "left" not in progress(row, 1, 40, 25.0, 0.0)
    assert "about 74 s left" in progress(row, 3, 40, 29.0, 4.0)
    assert "all in 2 min" in progress(row, 40, 40, 103.0, 78.0)
