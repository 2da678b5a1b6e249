"""The process of which the grader processes of a machine are copies.

Whoever imports this module becomes it: what a class shares is made here once, and every copy has
it, in the same memory. Python's forkserver imports it, and then only forks.
"""

import gc
import logging
import os

import distributed.worker  # noqa: F401 (what a copy runs: loaded once, here)
import torch

from autograder.grade import Grader
from autograder.running import grading, shared
from autograder.running.forking import STARTER
from autograder.sandbox import lockdown
from keyhole.errors import KeyholeError


def prepared() -> Grader | None:
    """A grader that has made all that a class shares; None where that fails, as each copy will."""
    torch.set_num_threads(1)
    # Whoever is ended, also before this line, does not leave it at work for some minutes.
    lockdown.tie_to(int(os.environ.pop(STARTER, os.getppid())))
    try:
        grader = Grader()
        grader.prepare()
        shared.make(grader)
        grading.give_back()
        # Else each copy, when it looks for garbage, would write to what it shares, and so copy it.
        gc.freeze()
        return grader
    except KeyholeError:
        return None
    except Exception:  # a defect of ours: it costs time, since each copy makes it for itself
        logging.getLogger(__name__).exception("what a class shares")
        return None


grading.HERE = grading.GraderProcess(prepared())
