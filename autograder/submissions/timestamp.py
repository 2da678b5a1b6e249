"""The time in a submission's timestamp.txt, which nbgrader reads, and at which it may stop."""

import json
import logging
import os
from pathlib import Path

from keyhole.notebooks.file import read_file

log = logging.getLogger(__name__)

TIMESTAMP = "timestamp.txt"
UNREAD_TIME = "timestamp.unreadable.txt"  # the name under which one without a time is put aside
TIME_MB = 0.001


def time_in(folder: Path) -> str | None:
    """The time in the timestamp.txt of a folder, without any byte-order mark.

    None where there is no time that nbgrader can read.
    """
    # Late: it takes a second, and few submissions have such a file.
    from nbgrader.utils import parse_utc

    try:
        raw = read_file(folder / TIMESTAMP, TIME_MB, follow_links=False)
        time = raw.decode(json.detect_encoding(raw)).strip()
        parse_utc(time)
    except Exception:  # parse_utc raises whatever the text makes it stumble over
        return None
    return time


def time_lost(folder: Path) -> bool:
    """Is there a timestamp.txt without a time, in its place or put aside?"""
    if os.path.lexists(folder / TIMESTAMP):
        return time_in(folder) is None
    return os.path.lexists(folder / UNREAD_TIME)


def mend_time(folder: Path) -> None:
    """Let nbgrader not stop at a timestamp.txt that it cannot read.

    A file without a time is put aside; any other is written as nbgrader reads it.
    """
    path = folder / TIMESTAMP
    if not os.path.lexists(path) or folder.is_symlink():
        return
    try:
        if not (time := time_in(folder)):
            path.replace(folder / UNREAD_TIME)
        elif path.read_bytes().strip() != time.encode():
            path.write_text(time, encoding="utf-8")
    except OSError as error:
        log.warning("%s: %s", path, error)
