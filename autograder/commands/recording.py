"""What `grade` and `record` share: they open the gradebook, and say who is not in it."""

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.gradebook.config import CONFIG_FILE
from autograder.result import name_shown

if TYPE_CHECKING:
    from autograder.running.recorder import Recorder

UNRECORDED = 3  # exit status where somebody was graded and could not be recorded


@contextmanager
def recorder_of(
    root: str | Path, assignment: str, notebooks: Mapping, folder_of: Callable[[str], Path]
) -> "Iterator[Recorder]":
    """A recorder into the course in a folder, which no other grading may use meanwhile.

    folder_of(student) is where the student's submission lies. Raises KeyholeError.
    """
    # Late: nbgrader takes a second, and not every batch is recorded.
    from autograder.gradebook.course import Course, alone
    from autograder.running.recorder import Recorder

    if not (Path(root) / CONFIG_FILE).is_file():
        yield Recorder(Course(assignment, notebooks, root), folder_of)
        return
    with alone(root):
        yield Recorder(Course(assignment, notebooks, root), folder_of)


def tell(student: str, why: str | None) -> None:
    """Say at once why a student is not in the gradebook, if that is so."""
    if why:
        print(f"  {name_shown(student)}: not in the gradebook: {why}", file=sys.stderr)


def record_command(reports: list[Path], submitted: Path, course: Path | None) -> str:
    """The command that records what these reports hold."""
    where = ["--course", str(course)] if course else []
    command = ["autograder", "record", *map(str, reports), "--submitted", str(submitted), *where]
    return shlex.join(command)


def recap(recorder: "Recorder | None", mending: str, nobody: bool = False) -> int:
    """Say who was graded and is not in the gradebook, and which command mends it: exit status.

    nobody: the gradebook could not even be opened.
    """
    lost = recorder.lost if recorder else {}
    if lost:
        print("\nGraded, but not in the gradebook and without a page:", file=sys.stderr)
    for student, why in sorted(lost.items()):
        print(f"  {name_shown(student)}: {why}", file=sys.stderr)
    if nobody or recorder and recorder.mendable:
        print(f"When that is put right, this puts them there:\n  {mending}", file=sys.stderr)
    return UNRECORDED if lost or nobody else 0
