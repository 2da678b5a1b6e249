"""What isolation costs.

Measured are a child's way to the first line of a student's code, a hundred submissions in a row,
and eight children alive.
"""

import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
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


def rows() -> Iterator[Row]:
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
            f"the slowest of {len(ways)}: {max(ways):.3f} s",
            "the baseline loads everything in a fresh process for each submission",
        ),
    )
    measures = [held()]
    _, seconds = timed(
        lambda: [
            measures.append(held())
            for number in range(1, SUBMISSIONS + 1)
            if to_first_line() and number % 20 == 0
        ]
    )
    yield Row(
        f"{SUBMISSIONS} submissions in a row",
        seconds,
        target="nothing grows",
        notes=(
            "before, then after every 20 submissions, of grader and zygote:",
            f"memory {column(measures, 0)} MB, descriptors {column(measures, 1)}, processes"
            f" {column(measures, 2)}, temporary files {column(measures, 3)}",
        ),
    )
    alive, seconds = timed(memory_of_children)
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


Held = tuple[int | str, int, int, int]


def held() -> Held:
    """(MB of memory, descriptors, processes, temporary files) that grader and zygote hold now."""
    family = [os.getpid(), *descendants(os.getpid())]
    return (
        megabytes(family, "Pss"),
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in family),
        len(family),
        len(os.listdir(tempfile.gettempdir())),
    )


def memory_of_children() -> str:
    """The memory of some children, each after a forward pass, in words."""
    before = set(descendants(os.getpid()))
    with ExitStack() as open_ones:
        for _ in range(CHILDREN):
            sandbox = open_ones.enter_context(Sandbox(SOURCE, models=[DEFAULT_MODEL]))
            sandbox.call("forward", "model_function", options={"order": [], "model": DEFAULT_MODEL})
        children = set(descendants(os.getpid())) - before
        own = megabytes(children, "Private_Clean", "Private_Dirty")
        everything = megabytes([*children, *before], "Pss")
        each = own if own == UNREADABLE else f"{own / len(children):.0f}"
        return (
            f"of its own {each} MB each; all {len(children)} with the zygote {everything} MB,"
            " shared pages counted once"
        )


def descendants(pid: int) -> Iterator[int]:
    """Process ids of the children of a process, and of theirs."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                yield from (child, *descendants(child))


def megabytes(processes: Iterable[int], *what: str) -> int | str:
    """The sum of some lines of the processes' memory. Only root can look into a child."""
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


def column(measures: list[Held], place: int) -> str:
    """One figure of all measures, in a line."""
    return " ".join(str(each[place]) for each in measures)
