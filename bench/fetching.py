"""`keyhole fetch` into an empty cache, by itself in a process: its time, and the memory that it takes at most."""

import json
import os
import subprocess
import sys
import tempfile

from bench.row import Row

PROGRAM = """
import json, resource, time
from keyhole.fetch import fetch
start = time.perf_counter()
fetch(progress=False)
print(json.dumps([time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))
"""


def rows():
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"KEYHOLE_CACHE": cache},
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
