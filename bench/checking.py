"""The first useful line of `check`: for each function, of its solution and of a wrong one.

A process imports what a notebook's first cell imports, and copies itself for each call. So each is
the first call in a kernel, which also reads the stored cases.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import torch

from autograder.gradebook.config import REPOSITORY
from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.run import IMPORTS
from autograder.validity.solution import Solution
from bench.row import Row, timed
from keyhole.checking.cases import cases_in
from keyhole.checking.checks import examine
from keyhole.checking.student import Student
from keyhole.toy import toy_model

MOST = {"trace": 3}  # seconds; for the others it is 1


def rows() -> Iterator[Row]:
    # A process of its own: a copy of one that has computed with several threads may hang.
    done = subprocess.run(
        [sys.executable, "-m", "bench.checking"],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in done.stdout.splitlines():
        name, right, wrong = json.loads(line)
        yield Row(
            f"check({name}): of a wrong one; the solution {right:.2f} s",
            wrong,
            target=f"each at most {MOST.get(name, 1)} s",
        )


def main() -> None:
    """Print a line of JSON for each function: its name, and the seconds of both."""
    torch.set_num_threads(1)  # no other thread may live when the process copies itself
    for layout in ("llama", "gpt2"):
        toy_model(layout)  # it loads what a notebook has loaded together with its model
    cases_in.cache_clear()  # the catalogue has read them
    for name in dict.fromkeys(each.function for each in WRONG if not each.files):
        right, wrong = (
            next(each for each in catalogue if each.function == name)
            for catalogue in (RIGHT, WRONG)
        )
        print(json.dumps([name, _in_a_copy(right), _in_a_copy(wrong)]), flush=True)


def _in_a_copy(solution: Solution) -> float:
    """The seconds until the card of a solution is there, text and HTML."""
    reading, writing = os.pipe()
    if not os.fork():
        try:
            student = Student("\n\n\n".join((IMPORTS, *solution.cells)))
            function = student.function(solution.function)
            _, seconds = timed(lambda: _card(solution.function, function))
            os.write(writing, f"{seconds}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="ascii") as answer:
        text = answer.read()
    os.wait()
    return float(text)


def _card(name: str, function: object) -> tuple[str, str]:
    report = examine(name, function)
    return repr(report), report._repr_html_()


if __name__ == "__main__":
    main()
