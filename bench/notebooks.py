"""The solution notebooks from top to bottom, in a kernel each."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial

from autograder.grade import ASSIGNMENT
from autograder.gradebook.config import REPOSITORY
from autograder.hidden import NOTEBOOKS
from bench.row import Row, timed


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for name in NOTEBOOKS:
            shutil.copy(REPOSITORY / "solutions" / ASSIGNMENT / f"{name}.ipynb", folder)
            command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
            run = partial(
                subprocess.run,
                [*command, "--inplace", f"{name}.ipynb"],
                cwd=folder,
                check=True,
                capture_output=True,
            )
            _, seconds = timed(run)
            most = 240 if name in ("4_scale", "5_learn_to_edit") else 180
            yield Row(f"run {name} from top to bottom", seconds, target=f"at most {most} s")
