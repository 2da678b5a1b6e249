"""Grading a class: two grader processes beside one, and what stays with the client alone."""

import ctypes
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import nbformat
import psutil
import torch

from autograder.grade import ASSIGNMENT, Grader, grade_read, submission_in
from autograder.gradebook.config import CONFIG_FILE, REPOSITORY
from autograder.gradebook.course import Course
from autograder.hidden import NOTEBOOKS
from autograder.running.kept import KeptResults
from autograder.running.tasks import packed
from autograder.secret import TEST_SECRET
from autograder.submissions.folder import digest_of
from bench.row import Row
from keyhole.paths import data_folder

COPIES, MANY = 60, 300  # of members of the sample class
SMALL = 1000  # notebooks that take no time, with the hidden tests of tests/standins.py
EACH = 50  # results between two looks at the memory
WORKERS = 16
MEMBERS = ("ada-complete", "bo-forgets-c", "gus-first-token", "rosa-arithmetic-mean")
PROGRAM = [sys.executable, "-m", "autograder.cli"]
PR_SET_CHILD_SUBREAPER = 36


def rows() -> Iterator[Row]:
    yield from client_rows()
    yield from small_rows()
    yield from jobs_rows()
    yield from large_rows()


def jobs_rows() -> Iterator[Row]:
    """A class by one grader process, by one that is held to one core, and by two.

    One process alone uses a second core for its matrix products, so that two processes have less
    than two cores to win.
    """
    with class_of(COPIES) as folder:
        one, two = (graded(PROGRAM, folder, jobs) for jobs in (1, 2))
        held = graded(PROGRAM, folder, 1, OMP_NUM_THREADS="1")
    busy = two.processor / (2 * two.wall)
    yield Row(
        f"grade {COPIES} submissions with --jobs 2",
        two.wall,
        one.wall,
        "1.8 times as fast as --jobs 1; both cores 90 % busy",
        (
            f"processor: {two.processor / COPIES:.1f} s a submission, {100 * busy:.0f} % of two"
            f" cores; with --jobs 1 {one.processor / COPIES:.1f} s",
            f"after the first result: {one.steady / two.steady:.2f} times as fast as --jobs 1",
            f"--jobs 1 used {one.processor / one.wall:.2f} cores. Held to one core it took"
            f" {held.wall:.0f} s: two jobs are {held.wall / two.wall:.2f} times as fast",
            two.memory(),
        ),
    )


def large_rows() -> Iterator[Row]:
    """A large class by two grader processes."""
    with class_of(MANY) as folder:
        spent = graded(PROGRAM, folder, 2)
    yield Row(
        f"grade {MANY} submissions with --jobs 2",
        spent.wall,
        target="at most 900 s; memory flat after the 50th, at most 2.5 GB",
        notes=(f"processor: {spent.processor / MANY:.1f} s a submission", spent.memory()),
    )


@contextmanager
def class_of(count: int) -> Iterator[Path]:
    """A folder whose `in` holds so many copies of members of the sample class."""
    with tempfile.TemporaryDirectory() as folder:
        hand_in_copies(count, Path(folder, "in"))
        yield Path(folder)


def hand_in_copies(count: int, submitted: Path) -> None:
    """Put so many copies of members of the sample class into a folder, one member after another."""
    sample = sorted((data_folder() / "sample_class").iterdir())
    for number in range(count):
        shutil.copytree(sample[number % len(sample)], submitted / f"s{number:03}")


def small_rows() -> Iterator[Row]:
    """Many quick notebooks: what is around the grading."""
    with tempfile.TemporaryDirectory() as folder:
        cells = [
            nbformat.v4.new_code_cell(code, metadata={"nbgrader": {"grade_id": code[4:10]}})
            for code in ("def double(x):\n    return 2 * x", "def triple(x):\n    return 3 * x")
        ]
        for number in range(SMALL):
            place = Path(folder, "in", f"s{number:04}", ASSIGNMENT)
            place.mkdir(parents=True)
            nbformat.write(nbformat.v4.new_notebook(cells=cells), place / "3_edit.ipynb")
        program = [sys.executable, str(REPOSITORY / "tests" / "small_grader.py")]
        spent = graded(program, Path(folder), 2)
    first, half, last = (spent.results[place][0] for place in (0, SMALL // 2, SMALL - 1))
    yield Row(
        f"grade {SMALL} quick notebooks with --jobs 2",
        spent.wall,
        target="time linear, memory flat",
        notes=(
            f"first half {half - first:.1f} s, second half {last - half:.1f} s, from the last"
            f" result to the end {spent.wall - last:.1f} s",
            spent.memory(),
        ),
    )


@dataclass
class Batch:
    """What a batch spent. `results`: when each came, and the memory of all processes then, in GB.

    The memory is looked at now and then; otherwise it is None.
    """

    wall: float
    processor: float
    results: list[tuple[float, float | None]]

    @property
    def steady(self) -> float:
        """Seconds from the first result to the last."""
        return self.results[-1][0] - self.results[0][0]

    def memory(self) -> str:
        """How it went, in words."""
        seen = {place: gb for place, (_, gb) in enumerate(self.results, 1) if gb is not None}
        return "memory of all processes, GB: " + ", ".join(
            f"{gb:.2f} after {place}" for place, gb in seen.items()
        )


def graded(program: list[str], folder: Path, jobs: int, **environment: str) -> Batch:
    """What `autograder grade` spends on a class, its grader processes included."""
    # Those that outlive the command become ours, so that their seconds count too.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    before = set(psutil.Process().children())
    key = folder / "secret.key"
    key.write_text(TEST_SECRET.hex() + "\n")
    results, processor, start = [], reaped(), time.perf_counter()
    with subprocess.Popen(
        [*program, "grade", str(folder / "in"), "--no-feedback", "--i-accept-no-isolation"]
        + ["--json", str(folder / f"{jobs}.json"), "--jobs", str(jobs), "--again"],
        env=os.environ | {"KEYHOLE_SECRET_FILE": str(key)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in process.stdout:
            if re.match(r"\[ *\d+/\d+\]", line):
                seconds = time.perf_counter() - start
                looked = len(results) % EACH == EACH - 1
                results.append((seconds, in_memory(process.pid) if looked else None))
    assert process.returncode == 0
    wall = time.perf_counter() - start
    for each in set(psutil.Process().children()) - before:
        os.waitpid(each.pid, 0)
    return Batch(wall, reaped() - processor, results)


def reaped() -> float:
    """Processor seconds of the processes that have ended below this one."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def in_memory(pid: int) -> float:
    """What a process and all below it hold, in GB; a page of several counts once."""
    held = 0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            held += process.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return held / 2**30


def client_rows() -> Iterator[Row]:
    """What a full submission spends, what only the client does, and how many workers that feeds."""
    torch.set_num_threads(1)  # as a grader process has
    grader = Grader(secret=TEST_SECRET)
    grader.prepare()
    seen = []
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(REPOSITORY / "solutions", Path(root, "solutions"))
        shutil.copy(REPOSITORY / CONFIG_FILE, root)
        course = Course(ASSIGNMENT, NOTEBOOKS, root)
        kept = KeptResults(Path(root, "kept"), grader, ASSIGNMENT, "E")
        for member in MEMBERS:
            folder = data_folder() / "sample_class" / member / ASSIGNMENT
            marks, handed_in = [used()], digest_of(folder)
            with submission_in(folder, NOTEBOOKS) as submission:
                packed(member, ASSIGNMENT, submission)
                marks.append(used())
                result = grade_read(submission, member, grader)
                marks.append(used())
                kept.keep(result, handed_in)
                json.dumps(result.to_json())
                course.record(result, submission, handed_in)
                marks.append(used())
            steps = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(marks, marks[1:])]
            seen.append([*steps[1], sum(steps[0]), sum(steps[2])])
    # The first of each pays for what is loaded once.
    own, students, read, record = (fmean(each) for each in zip(*seen[1:]))
    yield Row(
        "one full submission, processor seconds",
        own + students,
        target="at most 5",
        notes=(f"grader process {own:.1f}, students' processes {students:.1f}",),
    )
    yield Row("record one submission, with its page", record, target="at most 0.6 s")
    most = min(WORKERS, (own + students) / (read + record))
    yield Row(
        "the client's part of a submission",
        read + record,
        own + students,
        f"14 of {WORKERS} workers",
        (
            f"read {read:.2f} s, record {record:.2f} s; {WORKERS} workers, each with a core, would"
            f" be {most:.1f} times as fast as one",
        ),
    )


def used() -> tuple[float, float]:
    """Processor seconds so far: of this process, and of all below it."""
    below = sum(sum(each.cpu_times()[:4]) for each in psutil.Process().children(recursive=True))
    return time.process_time(), below
