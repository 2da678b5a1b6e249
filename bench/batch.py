"""Grading a class: two grader processes beside one, and what stays with the client alone."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

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

COPIES = 60  # of members of the sample class
WORKERS = 16
MEMBERS = ("ada-complete", "bo-forgets-c", "gus-first-token", "rosa-arithmetic-mean")


def rows() -> Iterator[Row]:
    yield from client_rows()
    yield from jobs_rows()


def jobs_rows() -> Iterator[Row]:
    """A class by one grader process, and by two."""
    sample = sorted((data_folder() / "sample_class").iterdir())
    with tempfile.TemporaryDirectory() as folder:
        for number in range(COPIES):
            shutil.copytree(sample[number % len(sample)], Path(folder, "in", f"s{number:02}"))
        one, two = (graded(Path(folder), jobs) for jobs in (1, 2))
    busy = two.processor / (2 * two.wall)
    yield Row(
        f"grade {COPIES} submissions with --jobs 2",
        two.wall,
        one.wall,
        "1.8 times as fast as --jobs 1; both cores 90 % busy",
        (
            f"processor: {two.processor / COPIES:.1f} s a submission, {100 * busy:.0f} % of two"
            f" cores; with --jobs 1 {one.processor / COPIES:.1f} s",
        ),
    )


class Spent:
    """Seconds by the clock, and of the processor in all processes, since this was made."""

    def __init__(self):
        self._wall, self._processor = time.perf_counter(), self._used()

    @staticmethod
    def _used() -> float:
        both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        return sum(sum(resource.getrusage(which)[:2]) for which in both)

    def stop(self) -> "Spent":
        self.wall = time.perf_counter() - self._wall
        self.processor = self._used() - self._processor
        return self


def graded(folder: Path, jobs: int) -> Spent:
    """What `autograder grade` spends on a class, its grader processes included."""
    key = folder / "secret.key"
    key.write_text(TEST_SECRET.hex() + "\n")
    spent = Spent()
    subprocess.run(
        [sys.executable, "-m", "autograder.cli", "grade", str(folder / "in"), "--no-feedback"]
        + ["--json", str(folder / f"{jobs}.json"), "--jobs", str(jobs), "--i-accept-no-isolation"],
        env=os.environ | {"KEYHOLE_SECRET_FILE": str(key)},
        check=True,
        capture_output=True,
    )
    return spent.stop()


def client_rows() -> Iterator[Row]:
    """What only the client does for a submission, and how many workers that can feed."""
    grader = Grader(secret=TEST_SECRET)
    grader.prepare()
    grading, reading, recording = [], [], []
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(REPOSITORY / "solutions", Path(root, "solutions"))
        shutil.copy(REPOSITORY / CONFIG_FILE, root)
        course = Course(ASSIGNMENT, NOTEBOOKS, root)
        kept = KeptResults(Path(root, "kept"), grader, ASSIGNMENT, "E")
        for member in MEMBERS:
            folder = data_folder() / "sample_class" / member / ASSIGNMENT
            spent, handed_in = Spent(), digest_of(folder)
            with submission_in(folder, NOTEBOOKS) as submission:
                packed(member, ASSIGNMENT, submission)
                reading.append(spent.stop().processor)
                spent = Spent()
                result = grade_read(submission, member, grader)
                grading.append(spent.stop().wall)
                spent = Spent()
                kept.keep(result, handed_in)
                json.dumps(result.to_json())
                course.record(result, submission, handed_in)
                recording.append(spent.stop().processor)
    # The first of each pays for what is loaded once.
    work, read, record = (fmean(each[1:]) for each in (grading, reading, recording))
    yield Row("record one submission, with its page", record, target="at most 0.6 s")
    most = min(WORKERS, work / (read + record))
    yield Row(
        "the client's part of a submission",
        read + record,
        work,
        f"14 of {WORKERS} workers",
        (
            f"read {read:.2f} s, record {record:.2f} s; a worker needs {work:.1f} s, so"
            f" {WORKERS} workers would be {most:.1f} times as fast as one",
        ),
    )
