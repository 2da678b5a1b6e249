"""Grading one submission: all hidden tests, with all metrics run again, and where the time goes.

Beside it run a process for each notebook, and nbgrader as it comes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from autograder import grade
from autograder.grade import ASSIGNMENT, Grader, grade_submission
from autograder.gradebook.config import REPOSITORY
from autograder.hidden import NOTEBOOKS, challenge
from autograder.hidden.case import HiddenTest, NotebookTests
from autograder.oracle import references
from autograder.result import function_of
from autograder.sandbox import Sandbox
from autograder.sandbox.zygote_client import SHARED, ZygoteClient
from autograder.secret import TEST_SECRET
from bench.row import Row, timed
from keyhole.checking.selfcheck import CHALLENGE
from keyhole.paths import data_folder


def watched(spent: dict[str, float]) -> dict[str, NotebookTests]:
    """The hidden tests, each of which adds its seconds to those of its function in `spent`."""

    def timing(case: HiddenTest) -> HiddenTest:
        def run(bench):
            result, seconds = timed(lambda: case.run(bench))
            spent[function_of(case.id)] += seconds
            return result

        return replace(case, run=run)

    return {
        name: replace(
            tests,
            cells={cell: tuple(map(timing, cases)) for cell, cases in tests.cells.items()},
            challenge=False,  # it has a row of its own
        )
        for name, tests in NOTEBOOKS.items()
    }


def rows() -> Iterator[Row]:
    spent: dict[str, float] = defaultdict(float)
    folder = data_folder() / "sample_class" / "ada-complete" / ASSIGNMENT
    grader = Grader(watched(spent), TEST_SECRET)
    grader.model()

    def seconds_of(**options) -> float:
        references.KNOWN.clear()  # else a submission with the same numbers is spared its metrics
        return timed(lambda: grade_submission(folder, "ada", grader, **options))[1]

    yield Row(
        "grade the first submission of a batch",
        seconds_of(),
        notes=(
            "once a batch: the zygote starts, and the references' probes are run up to the edited"
            " layer",
        ),
    )
    spent.clear()
    seconds = seconds_of()
    where = sorted(spent.items(), key=lambda item: -item[1])
    grade.Sandbox = Alone
    alone = seconds_of()
    grade.Sandbox = Sandbox
    yield Row(
        "grade one submission",
        seconds,
        alone,
        "at most 20 s, half of the baseline",
        (
            ", ".join(f"{name} {each:.1f} s" for name, each in where),
            "the baseline starts a process for each notebook, which loads libraries and model",
        ),
    )
    for name, target in (("2_locate", 8), ("3_edit", 10)):
        one = seconds_of(only=name)
        yield Row(f"grade {name} alone, in a batch", one, target=f"at most {target} s")
    yield challenge_row(folder, grader)
    SHARED.close()  # so that its memory counts, and the baseline has the machine to itself
    yield Row(
        "the same, beside nbgrader's own autograde",
        seconds,
        stock(folder),
        "a tenth of the baseline",
        (
            "the baseline runs each notebook from top to bottom in a kernel; it has the public"
            " checks alone, and no hidden test",
        ),
    )


def challenge_row(folder: Path, grader: Grader) -> Row:
    """One submission of the challenge, in a batch: the hidden probes and text are there."""
    scoring = grader.challenge()
    path, model = folder / CHALLENGE, grader.model()
    start = time.process_time()
    challenge.bonus(path, model, lambda: scoring, "nobody")
    seconds = time.process_time() - start
    return Row("the challenge, seconds of a processor", seconds, target="at most 12 s a submission")


class Alone(Sandbox):
    """A sandbox that forks from a zygote of its own, as if no other submission had been before."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._zygote = ZygoteClient(SHARED.level)


def stock(submission: Path) -> float:
    """Seconds of `nbgrader autograde` without any of our settings, for the same submission."""
    with tempfile.TemporaryDirectory() as course:
        shutil.copytree(REPOSITORY / "solutions" / ASSIGNMENT, Path(course, "source", ASSIGNMENT))
        shutil.copytree(submission, Path(course, "submitted", "ada", ASSIGNMENT))
        nbgrader(course, "generate_assignment")
        _, seconds = timed(
            lambda: nbgrader(course, "autograde", "--ExecutePreprocessor.timeout=600")
        )
    return seconds


def nbgrader(course: str, command: str, *options: str) -> None:
    """Run one of nbgrader's commands on the assignment, in the folder of a course."""
    # It runs alembic by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    subprocess.run(
        [sys.executable, "-m", "nbgrader", command, ASSIGNMENT, *options],
        cwd=course,
        env=os.environ | {"PATH": path},
        check=True,
        capture_output=True,
    )
