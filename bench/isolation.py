"""What isolation costs: a child's way to the first line of a student's code, a hundred submissions in a row, eight children alive."""

import os
import re
import statistics
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from autograder.sandbox import Sandbox, zygote_client
from autograder.sandbox.zygote_client import ZygoteClient
from bench.row import Row, timed
from keyhole.models import DEFAULT_MODEL

SOURCE = """
import time
BEGUN = time.monotonic()
def begun(): return BEGUN
def forward(model): return model.next_token_probabilities(["The Seine flows through"])
"""
CHILDREN, SUBMISSIONS = 8, 100
UNREADABLE = "not readable"


def rows():
    if not Path("/proc/self/smaps_rollup").exists():
        return
    zygote_client.SHARED = zygote = ZygoteClient()
    to_first_line()  # the zygote starts
    ways = [to_first_line() for _ in range(40)]
    yield Row(
        f"from the fork to a student's first line, at level {zygote.level}",
        statistics.median(ways),
        fresh(zygote.level),
        "at most 0.06 s",
        (
            (
                f"the slowest of {len(ways)}: {max(ways):.3f} s; the baseline loads everything in a"
                " fresh process for each submission"
            ),
        ),
    )
    measures = [held(zygote)]
    _, seconds = timed(
        lambda: [
            measures.append(held(zygote))
            for number in range(1, SUBMISSIONS + 1)
            if to_first_line() and number % 20 == 0
        ]
    )
    yield Row(
        f"{SUBMISSIONS} submissions in a row",
        seconds,
        target="nothing grows",
        notes=(
            (
                f"before, then after every 20: memory of grader and zygote {column(measures, 0)}"
                f" MB, descriptors {column(measures, 1)},"
            ),
            f"processes {column(measures, 2)}, temporary files {column(measures, 3)}",
        ),
    )
    alive, seconds = timed(lambda: memory_of_children(zygote))
    yield Row(
        f"{CHILDREN} children alive, each after one forward pass of the model",
        seconds,
        target="at most 150 MB each",
        notes=(alive,),
    )
    zygote.close()


def to_first_line() -> float:
    """Seconds from asking for a child to the first line of the student's definitions."""
    start = time.monotonic()
    with Sandbox(SOURCE) as sandbox:
        return float(sandbox.call("begun", options={"order": []}).tensors["result"]) - start


def fresh(level: str) -> float:
    """The same with a zygote of its own."""
    shared, zygote_client.SHARED = zygote_client.SHARED, ZygoteClient(level)
    try:
        return to_first_line()
    finally:
        zygote_client.SHARED.close()
        zygote_client.SHARED = shared


def held(zygote) -> tuple:
    """(MB of memory, descriptors, processes, temporary files) that grader and zygote hold now."""
    family = [os.getpid(), *descendants(os.getpid())]
    return (
        megabytes(family, "Pss"),
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in family),
        len(family),
        len(os.listdir(tempfile.gettempdir())),
    )


def memory_of_children(zygote) -> str:
    before = set(descendants(os.getpid()))
    with ExitStack() as open_ones:
        for _ in range(CHILDREN):
            sandbox = open_ones.enter_context(Sandbox(SOURCE, models=[DEFAULT_MODEL]))
            sandbox.call("forward", "model_function", options={"order": [], "model": DEFAULT_MODEL})
        children = set(descendants(os.getpid())) - before
        own, everything = (
            megabytes(children, "Private_Clean", "Private_Dirty"),
            megabytes([*children, *before], "Pss"),
        )
        each = own if own == UNREADABLE else f"{own / len(children):.0f}"
        return (
            f"of its own {each} MB each; all {len(children)} with the zygote {everything} MB,"
            " shared pages counted once"
        )


def descendants(pid: int):
    """Process ids of the children of a process, and of theirs."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                yield from (child, *descendants(child))


def megabytes(processes, *what: str) -> int | str:
    """The sum of some lines of the processes' memory. A child cannot be looked into but by root."""
    try:
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in processes]
    except OSError:
        return UNREADABLE
    return round(
        sum(
            int(re.search(rf"^{line}: +(\d+)", text, re.MULTILINE)[1])
            for text in texts
            for line in what
        )
        / 1024
    )


def column(measures, place: int) -> str:
    return " ".join(str(each[place]) for each in measures)
