"""Where the course lies, what the machine lacks, and two gradings at once: works, or a sentence."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from autograder import cli
from autograder.gradebook.config import unusable
from keyhole.errors import KeyholeError
from keyhole.finetuning import fine_tuned
from keyhole.messages import problem
from keyhole.paths import cache_folder
from tests import test_nbgrader as small
from tests.standins import DOUBLE

pytestmark = pytest.mark.slow  # many processes; `make test` runs it

ROOT = Path(__file__).resolve().parent.parent
course, prepared = small.course, small.prepared  # fixtures


def grade(root, *options) -> int:
    """`autograder grade` on what was handed in to the course in `root`."""
    report = str(root / "r.json")
    submitted = str(root / "grading" / "submitted")
    return cli.main(["grade", submitted, "--json", report, "--course", str(root), *options])


def moved(course, name) -> Path:
    """The course with one submission, in a folder of that name."""
    small.hand_in(course, "ada", double=DOUBLE)
    there = course / "moved" / name
    shutil.copytree(course, there, ignore=shutil.ignore_patterns("moved"))
    return there


@pytest.mark.slow
@pytest.mark.parametrize("name", ["100% 自然語言 #1", "{a} & 'b', c;d=e+f"])
def test_a_course_in_a_folder_of_an_odd_name_is_graded_and_recorded(course, name):
    there = moved(course, name)
    assert grade(there) == 0
    assert small.gradebook(there) == {"ada": 4}
    assert (there / "grading" / "feedback" / "ada" / "model_editing" / "feedback.html").is_file()


@pytest.mark.parametrize("name", ["[2026] NLP", "what? #1", "a*b", "50%20 off"])
def test_a_course_whose_folder_nbgrader_misreads_is_told_before_anything_is_graded(
    course, capsys, name
):
    there = moved(course, name)
    before = sorted(there.parent.iterdir()), sorted((there / "grading").iterdir())
    assert grade(there) == 3
    told = capsys.readouterr().err
    assert told.startswith("No gradebook and no feedback pages: nbgrader misreads the ")
    assert "rename that folder" in told and "Nobody was put into the gradebook" in told
    assert before == (sorted(there.parent.iterdir()), sorted((there / "grading").iterdir()))
    assert grade(there, "--no-feedback") == 0


def test_nbgrader_in_a_folder_that_it_misreads_says_one_sentence(course):
    there = moved(course, "what? #1")
    command = [Path(sys.executable).with_name("nbgrader"), "autograde", "model_editing"]
    run = subprocess.run(command, cwd=there, capture_output=True, text=True)
    assert run.returncode == 1 and run.stderr.startswith("nbgrader: nbgrader misreads the '?'")
    assert run.stderr.count("\n") == 1 and list(there.parent.iterdir()) == [there]


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind root")
def test_a_read_only_course_is_told(course, capsys):
    small.hand_in(course, "ada", double=DOUBLE)
    (course / "grading").chmod(0o555)
    try:
        assert grade(course) == 3
    finally:
        (course / "grading").chmod(0o755)
    assert "nothing can be written to" in capsys.readouterr().err


def test_a_course_without_room_for_its_grading_is_told(course, capsys):
    there = moved(course, "there")
    shutil.rmtree(there / "grading")
    (there / "grading").write_text("in the way")
    submitted = str(course / "grading" / "submitted")
    arguments = ["grade", submitted, "--json", str(course / "r.json"), "--course", str(there)]
    assert cli.main(arguments) == 3
    told = capsys.readouterr().err
    assert "nothing can be written to" in told and "copy the course" in told


def test_a_configuration_that_fails_is_named(course, capsys):
    small.hand_in(course, "ada", double=DOUBLE)
    with open(course / "nbgrader_config.py", "a") as file:
        file.write("\n1 / 0\n")
    assert grade(course) == 3
    told = capsys.readouterr().err
    assert "nbgrader_config.py fails with ZeroDivisionError" in told


def test_whoever_cannot_be_recorded_stands_in_the_summary(course, capsys):
    small.hand_in(course, "ada", double=DOUBLE)
    small.hand_in(course, "bo[b]", double=DOUBLE)
    assert grade(course) == 3
    summary = capsys.readouterr().err.partition("Graded, but not in the gradebook")[2]
    assert "bo[b]: nbgrader takes" in summary and "ada" not in summary
    assert small.gradebook(course) == {"ada": 4}


HOLDING = """
import sys, time
from pathlib import Path
from filelock import FileLock
folder = Path(sys.argv[1])
with FileLock(folder / "grading" / ".lock"):
    print("held", flush=True)
    sys.stdin.read()
    print((folder / "r.json").exists(), flush=True)
"""


def test_a_second_grading_waits_for_the_first_and_says_so(course, capsys):
    small.hand_in(course, "ada", double=DOUBLE)
    command = [sys.executable, "-c", HOLDING, str(course)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as first:
        assert first.stdout.readline() == "held\n"
        timer = threading.Timer(3, first.stdin.close)
        timer.start()
        assert grade(course) == 0
        assert first.stdout.readline() == "False\n"
        timer.join()
    assert small.gradebook(course) == {"ada": 4}
    assert "Another grading is at work in" in capsys.readouterr().err
    with FileLock(course / "grading" / ".lock").acquire(timeout=0):  # it leaves the course free
        pass


@pytest.fixture
def no_temporary_folder(monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", none)


def test_without_a_temporary_folder_each_says_so(course, toy, no_temporary_folder, capsys):
    small.hand_in(course, "ada", double=DOUBLE)
    assert grade(course) == 1 and not (course / "r.json").exists()
    assert cli.main(["validity"]) == 1
    said = str(problem("no_temporary_folder"))
    assert capsys.readouterr().err == f"autograder: {said}\n" * 2
    assert unusable(course) == said
    with pytest.raises(KeyholeError, match="set TMPDIR"):
        with fine_tuned(toy, "abc", " d", lambda logits, ids: logits.sum()):
            raise AssertionError("unreachable")


def test_without_a_home_folder_each_says_so(course, monkeypatch, capsys):
    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    monkeypatch.delenv("KEYHOLE_CACHE", raising=False)
    small.hand_in(course, "ada", double=DOUBLE)
    assert grade(course) == 2 and cli.main(["validity"]) == 2
    assert capsys.readouterr().err.count("there is no home folder") == 2
    with pytest.raises(KeyholeError, match="set HOME, or set KEYHOLE_CACHE"):
        cache_folder()
    monkeypatch.setenv("KEYHOLE_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
