"""The reports of a batch: written at intervals while it runs, and whole at its end."""

import time
from collections.abc import Callable
from pathlib import Path

from autograder.result import Result, write_json, write_text
from keyhole.errors import KeyholeError

SECONDS = 10  # between two writings
SHARE = 20  # and at least so many times as long as a writing takes


class Reports:
    """The JSON report of a class, and its table as CSV where one is asked for.

    as_csv makes the table's text.
    """

    def __init__(self, json: Path, csv: Path | None, as_csv: Callable[[list[Result]], str]):
        self._json, self._csv, self._as_csv = json, csv, as_csv
        self._next = time.monotonic() + SECONDS

    @property
    def due(self) -> bool:
        """Is the last writing long ago?"""
        return time.monotonic() >= self._next

    def write(self, results: list[Result]) -> None:
        """Write them now, each whole or not at all. Raises KeyholeError."""
        start = time.monotonic()
        path = self._json
        try:
            write_json(path, results)
            if self._csv:
                path = self._csv
                write_text(path, self._as_csv(results))
        except OSError as error:
            raise not_written(path, error) from error
        now = time.monotonic()
        self._next = now + max(SECONDS, SHARE * (now - start))


def not_written(path: Path, error: OSError) -> KeyholeError:
    """What is said where a report, or a kept result, cannot be written any more."""
    return KeyholeError(
        f"{path} cannot be written ({error.strerror or error}): the batch ends here, and the last"
        " good report stays. Make room, then run the same command again: it goes on from here"
    )
