"""`keyhole fetch` into an empty cache, in a process for itself: its time and its peak memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from bench.row import Row

PROGRAM = """
import json, resource, time
from keyhole.fetch import fetch
start = time.perf_counter()
fetch(progress=False)
seconds, kilobytes = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, kilobytes / 2**20]))
"""


def rows() -> Iterator[Row]:
    """One row: the download and the conversion, without pip's cache, as on a fresh machine."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"KEYHOLE_CACHE": cache, "PIP_NO_CACHE_DIR": "1"},
            check=True,
            capture_output=True,
            text=True,
        )
    seconds, peak = json.loads(done.stdout)
    yield Row(
        "fetch the model: download and conversion",
        seconds,
        notes=(f"peak memory {peak:.2f} GB (target: 2.5)",),
    )
