"""Starts the mother: the process of which all grader processes of this machine are copies.

This module is light, so that the mother can begin its work while its starter still loads torch.
"""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

# Where processes can be forked safely, each is a copy of one that has made what a class shares.
FORKS = sys.platform == "linux"
STARTER = "KEYHOLE_STARTER"  # the environment's name for the process that started the mother
PRELOADED = ["autograder.running.mother"]  # the modules that the mother imports at its start


def start_mother() -> None:
    """Start it, unless it runs already; it makes ready by itself."""
    told = {
        STARTER: str(os.getpid()),
        # With more threads the first product in a copy would wait for ever.
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # One heap for all threads leaves fewer gaps in memory; of the threads only one grades.
        "MALLOC_ARENA_MAX": "1",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
        with without_interrupts():
            forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def wait_for_mother() -> None:
    """Have a first copy made, which ends at once: the others are then made without a wait."""
    copy = multiprocessing.get_context("forkserver").Process(target=os.getpid)
    copy.start()
    copy.join()


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Ctrl-C reaches all processes of a terminal. Those that start here do not get it.

    So this process alone decides.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
