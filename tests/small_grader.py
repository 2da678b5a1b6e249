"""`autograder` with the quick hidden tests of standins.py, as a program: for tests that kill it.

Python's multiprocessing imports a main module again in each process that it starts. So what is put
in the place of something else here is so in grader processes too. The process that they are copies
of does not import the main module, so it is told to import this file as a module. Otherwise it
would make what the real hidden tests share.

With SANDBOX=real in the environment students' code runs in a process of its own. LEVEL says at
which level of isolation the machine is said to be.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autograder import cli, hidden
from autograder import grade as grading
from autograder.running import forking
from autograder.sandbox import isolation
from tests.standins import TESTS, InThisProcess

hidden.NOTEBOOKS = TESTS
# That of the stand-in, so that its results are taken over.
isolation.best = lambda: isolation.MachineLevel(os.environ.get("LEVEL", "E"), {})
if os.environ.get("SANDBOX") != "real":
    grading.Sandbox = InThisProcess

if __name__ == "__main__":
    os.environ["PYTHONPATH"] = sys.path[0]  # it may run in a course's folder
    forking.PRELOADED.insert(0, "tests.small_grader")
    sys.exit(cli.main())
