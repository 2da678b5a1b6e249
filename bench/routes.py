"""One class by three ways: two processes, two workers over TLS, and nbgrader's own command.

`python -m bench.routes [COPIES]` grades so many copies of members of the sample class (60), and
ends with an error where a score differs. It takes about 10 s a submission and way.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from autograder.grade import ASSIGNMENT
from autograder.gradebook.config import CONFIG_FILE, REPOSITORY
from autograder.secret import TEST_SECRET
from bench.batch import hand_in_copies
from bench.row import timed
from tests.clusters import authority, given, scheduler, worker


def main(copies: int = 60) -> None:
    with tempfile.TemporaryDirectory() as root:
        course, key = Path(root, "course"), Path(root, "secret.key")
        key.write_text(TEST_SECRET.hex() + "\n")
        os.environ["KEYHOLE_SECRET_FILE"] = str(key)
        submitted = course / "grading" / "submitted"
        hand_in_copies(copies, submitted)
        here, seconds = timed(lambda: by_grade(submitted, Path(root, "here"), "--jobs", "2"))
        print(f"--jobs 2: {seconds:.0f} s", flush=True)
        there, seconds = timed(lambda: over_tls(submitted, Path(root, "there")))
        print(f"two workers over TLS: {seconds:.0f} s", flush=True)
        stock, seconds = timed(lambda: by_nbgrader(course))
        print(f"nbgrader autograde: {seconds:.0f} s", flush=True)
    for student, score in here.items():
        if not score == there[student] == stock[student]:
            sys.exit(f"{student}: {score}, {there[student]} over TLS, {stock[student]} by nbgrader")
    print(f"{len(here)} students, {len(set(here.values()))} different scores: the same three times")


def by_grade(submitted: Path, folder: Path, *options: str) -> dict[str, float]:
    """Scores of `autograder grade`."""
    folder.mkdir()
    report = folder / "results.json"
    grade = [sys.executable, "-m", "autograder.cli", "grade", submitted, "--no-feedback"]
    accepted = [] if "--cluster" in options else ["--i-accept-no-isolation"]
    subprocess.run(
        [*grade, "--json", report, *accepted, *options], stdout=subprocess.DEVNULL, check=True
    )
    return {entry["student"]: entry["score"] for entry in json.loads(report.read_text("utf-8"))}


def over_tls(submitted: Path, folder: Path) -> dict[str, float]:
    """The same, by a scheduler and two workers in processes of their own."""
    (folder / "tls").mkdir(parents=True)
    tls = authority(folder / "tls")
    with ExitStack() as stack:
        address, _ = stack.enter_context(scheduler(tls, folder))
        for name in ("one", "two"):
            stack.enter_context(worker(tls, address, folder / name))
        return by_grade(submitted, folder / "report", "--cluster", address, *given(tls))


def by_nbgrader(course: Path) -> dict[str, float]:
    """Scores of nbgrader's commands, with the hidden tests in their sandbox."""
    shutil.copytree(REPOSITORY / "solutions", course / "solutions")
    shutil.copy(REPOSITORY / CONFIG_FILE, course)
    for command in (["generate_assignment", ASSIGNMENT], ["autograde", ASSIGNMENT], ["export"]):
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *command],
            cwd=course,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
            capture_output=True,
            check=True,
        )
    with (course / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
