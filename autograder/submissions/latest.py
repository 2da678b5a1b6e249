"""The submission that was read last, for a caller that asks again and again for the same one."""

from collections.abc import Callable
from pathlib import Path

from autograder.submissions.folder import state_of
from autograder.submissions.notebooks import Submission
from keyhole.messages import language


class LatestSubmission:
    """Reads a folder again only when it, or the language spoken, is another one than last time.

    nbgrader asks for a student's submission in each stage of its pipeline, for each notebook. Files
    that changed on disk meanwhile make it another submission.
    """

    def __init__(self, read: Callable[[Path], Submission]):
        self._read = read
        self._key = self._submission = None

    def of(self, folder: Path) -> Submission:
        """The submission in a folder. It stays open until another one is asked for, or `close`."""
        key = folder, state_of(folder), language()
        if key != self._key:
            self.close()
            self._submission, self._key = self._read(folder), key
        return self._submission

    def close(self) -> None:
        """Remove what was unpacked of the submission, and forget it."""
        if self._submission is not None:
            self._submission.close()
        self._key = self._submission = None
