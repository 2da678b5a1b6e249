"""The time in a submission's timestamp.txt: nbgrader's note of when it was handed in."""

import json
from pathlib import Path

from keyhole.notebooks.file import read_file

TIMESTAMP = "timestamp.txt"
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
