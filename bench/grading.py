"""Grading one submission: all hidden tests, all metrics run again, where the time goes; beside a process for each notebook, and beside nbgrader as it comes."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from autograder import grade
from autograder.grade import ASSIGNMENT, Grader, grade_submission
from autograder.gradebook.config import REPOSITORY
from autograder.hidden import NOTEBOOKS
from autograder.oracle import references
from autograder.result import function_of
from autograder.sandbox import Sandbox
from autograder.sandbox.zygote_client import SHARED, ZygoteClient
from autograder.secret import TEST_SECRET
from bench.row import Row, timed
from keyhole.paths import data_folder


def rows():
    spent = defaultdict(float)

    def watched(case):
        def run(bench):
            result, seconds = timed(lambda: case.run(bench))
            spent[function_of(case.id)] += seconds
            return result

        return replace(case, run=run)

    notebooks = {
        name: replace(
            tests, cells={cell: tuple(map(watched, cases)) for cell, cases in tests.cells.items()}
        )
        for name, tests in NOTEBOOKS.items()
    }
    folder, grader = (
        data_folder() / "sample_class" / "ada-complete" / ASSIGNMENT,
        Grader(notebooks, TEST_SECRET),
    )
    grader.model()

    def graded(**options):
        references.KNOWN.clear()  # which another submission with the same numbers would spare
        return grade_submission(folder, "ada", grader, **options)

    _, first = timed(graded)
    yield Row(
        "grade the first submission of a batch",
        first,
        notes=(
            (
                "once for the batch: the zygote starts, and the references' probes are run up to"
                " the edited layer"
            ),
        ),
    )
    spent.clear()
    _, seconds = timed(graded)
    where = ", ".join(
        f"{name} {each:.1f} s" for name, each in sorted(spent.items(), key=lambda item: -item[1])
    )
    grade.Sandbox = Alone
    _, alone = timed(graded)
    grade.Sandbox = Sandbox
    yield Row(
        "grade one submission",
        seconds,
        alone,
        "at most 20 s, half of the baseline",
        (
            where,
            (
                "the baseline starts a process for each notebook, which loads the libraries and the"
                " model"
            ),
        ),
    )
    for name, target in (("2_locate", 8), ("3_edit", 10)):
        _, one = timed(lambda: graded(only=name))
        yield Row(f"grade {name} alone, in a batch", one, target=f"at most {target} s")
    SHARED.close()  # so that its memory counts, and the baseline has the machine to itself
    yield Row(
        "the same, beside nbgrader's own autograde",
        seconds,
        stock(folder),
        "a tenth of the baseline",
        (
            (
                "the baseline runs each notebook from top to bottom in a kernel; it has the public"
                " checks alone, and no hidden test"
            ),
        ),
    )


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
    tools = {
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        )
    }  # it runs alembic by name
    subprocess.run(
        [sys.executable, "-m", "nbgrader", command, ASSIGNMENT, *options],
        cwd=course,
        env=os.environ | tools,
        check=True,
        capture_output=True,
    )
