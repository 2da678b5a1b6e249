"""What nbgrader gets of a submission. It never looks into a student's own folder.

There it would follow links, stop at what it cannot read and at a time that is none, and copy
whatever lies beside the notebooks, up to the feedback pages.
"""

import copy
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import nbformat
from nbgrader.coursedir import CourseDirectory

from autograder.gradebook.config import GRADING
from autograder.gradebook.mending import mended
from autograder.submissions.folder import files_beside
from autograder.submissions.notebooks import Submission
from autograder.submissions.timestamp import TIMESTAMP
from keyhole.checking.challenge import LIMIT_MB
from keyhole.errors import KeyholeError
from keyhole.notebooks.file import read_file
from keyhole.paths import CHALLENGE_FILE

OURS = ".keyhole"  # lies in a folder that was taken in, so that it may be written again


def is_ours(folder: Path) -> bool:
    """May a submission be taken into this folder, since it is not there, or was made so before?"""
    return not os.path.lexists(folder) or (folder / OURS).is_file()


def take_in(submission: Submission, released: Path, folder: Path) -> None:
    """Write into `folder` what counts in a submission: its notebooks and its time.

    Each notebook is mended against the one in `released`, so that every student gets a page.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, submitted in submission.items():
        release = nbformat.read(released / f"{name}.ipynb", as_version=4)
        nbformat.write(mended(submitted, release), folder / f"{name}.ipynb")
    write_time(submission.time, folder)


def take_in_whole(submission: Submission, released: Path, folder: Path) -> None:
    """`take_in`, with the student's own files: `folder` can be graded in place of the original."""
    take_in(submission, released, folder)
    (folder / OURS).write_text("made by autograder grade\n", encoding="utf-8")
    for submitted in submission.values():
        _copy(files_beside(submitted.folder), folder)
    if path := submission.handed.challenge:
        _copy({CHALLENGE_FILE: path}, folder)


def _copy(files: Mapping[str, Path], folder: Path) -> None:
    """Copy files that were handed in, under these names."""
    for name, path in files.items():
        with suppress(KeyholeError):  # what cannot be read has cost its tests already
            (folder / name).write_bytes(read_file(path, LIMIT_MB, follow_links=False))


def write_time(time: str | None, folder: Path) -> None:
    """Write down, as nbgrader reads it, when something was handed in; None is not written."""
    if time:
        (folder / TIMESTAMP).write_text(time, encoding="utf-8")


class Intake:
    """Folders from which `nbgrader autograde` reads in place of the students' own.

    They are there from `open` to `close`, or to the next `open`. `read` gives the submission in a
    student's folder.
    """

    def __init__(self, read: Callable[[Path], Submission]):
        self._read, self._temporary, self._handed_in = read, None, {}

    def open(self, course: CourseDirectory) -> CourseDirectory:
        """`course` with an empty intake in the place of its submissions."""
        self.close()
        grading = Path(course.root, GRADING)
        self._temporary = tempfile.TemporaryDirectory(prefix="intake-", dir=grading)
        # A copy: nbgrader's web pages use `course` again, for the next grading.
        changed = copy.copy(course)
        changed.submitted_directory = f"{GRADING}/{Path(self._temporary.name).name}"
        return changed

    def add(self, folder: Path, submitted: Path, released: Path, time: str | None) -> None:
        """Let `folder` stand for the folder `submitted`, which was handed in at `time`.

        nbgrader asks for the time before it decides whether to grade at all.
        """
        folder.mkdir(parents=True)
        write_time(time, folder)
        self._handed_in[folder] = submitted, released

    def fill(self, folder: Path) -> None:
        """Take in what was handed in, if `folder` is one of those that were added."""
        if folder in self._handed_in:
            submitted, released = self._handed_in[folder]
            take_in(self._read(submitted), released, folder)

    def close(self) -> None:
        """Remove the folders."""
        if self._temporary:
            self._temporary.cleanup()
        self._temporary, self._handed_in = None, {}
