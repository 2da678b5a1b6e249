"""One submission as a task: all that a grader process needs of it, as data.

A grader process may run on another machine. So a task carries the files that are graded beside the
notebooks, and needs no folder of the client's.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.submissions.folder import HandedIn, files_beside
from autograder.submissions.notebooks import Submission, Submitted
from keyhole.checking import challenge, own_fact
from keyhole.errors import KeyholeError
from keyhole.notebooks.file import read_file


@dataclass(frozen=True)
class Sent:
    """A file handed in beside a notebook. Without `content`, what is there in its place.

    `kind` is the type of the file as in a mode, `size` in bytes, `mode` its permissions.
    """

    name: str
    content: bytes | None
    kind: int
    size: int
    mode: int

    @classmethod
    def of(cls, path: Path, most_mb: int) -> "Sent":
        """The file at `path`, whatever it is. One above `most_mb` is sent without its content."""
        status, content = path.lstat(), None
        with suppress(KeyholeError):
            content = read_file(path, most_mb, follow_links=False)
        mode = stat.S_IMODE(status.st_mode) if os.access(path, os.R_OK) else 0
        return cls(path.name, content, stat.S_IFMT(status.st_mode), status.st_size, mode)

    def put(self, folder: Path) -> None:
        """Put it into a folder, such that reading it gives the same, or fails for the same."""
        path = folder / self.name
        if self.content is not None:
            path.write_bytes(self.content)
        elif self.kind == stat.S_IFREG:
            path.touch()
            os.truncate(path, self.size)
            path.chmod(self.mode)
        elif self.kind == stat.S_IFLNK:
            path.symlink_to("nowhere")
        elif self.kind == stat.S_IFDIR:
            path.mkdir()
        else:
            os.mkfifo(path)


@dataclass(frozen=True)
class GradingTask:
    """One student's submission, read by the client.

    `notebooks` lack their cells, which no grading needs. The folder of each is a number, under
    which `folders` has its files. `challenge` is what was handed in for that.
    """

    student: str
    assignment: str
    seconds: float  # that reading took
    notebooks: tuple[Submitted, ...]
    folders: tuple[tuple[Sent, ...], ...]
    challenge: Sent | None


def packed(student: str, assignment: str, submission: Submission) -> GradingTask:
    """An open submission as a task."""
    places = list(dict.fromkeys(submitted.folder for submitted in submission.values()))
    folders = []
    for place in places:
        files = {} if submission.handed.shut else files_beside(place)
        folders.append(tuple(Sent.of(path, own_fact.LIMIT_MB) for path in files.values()))
    notebooks = tuple(
        replace(submitted, cells=(), folder=Path(str(places.index(submitted.folder))))
        for submitted in submission.values()
    )
    path = submission.handed.challenge
    handed = Sent.of(path, challenge.LIMIT_MB) if path else None
    return GradingTask(student, assignment, submission.seconds, notebooks, tuple(folders), handed)


@contextmanager
def unpacked(task: GradingTask) -> Iterator[Submission]:
    """The submission of a task, with its files in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="keyhole-task-") as place:
        for number, files in enumerate(task.folders):
            folder = Path(place, str(number))
            folder.mkdir()
            for file in files:
                file.put(folder)
        if task.challenge:
            task.challenge.put(Path(place))
        notebooks = {
            each.name: replace(each, folder=place / each.folder) for each in task.notebooks
        }
        yield Submission(HandedIn(Path(place)), notebooks, task.seconds, ExitStack())
