"""An autograder for Gradescope: its zip, and what it writes there for one submission."""

import io
import json
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from autograder.grade import ASSIGNMENT, Grader, admit, grade_submission
from autograder.messages import sign
from autograder.result import Result
from autograder.secret import course_secret
from keyhole.files import write_atomically
from keyhole.text import one_line

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("autograder", "keyhole", "data", "assignments")
FILES = ("Makefile", "pyproject.toml", "limits.toml", "nbgrader_config.py", "LICENSE", "NOTICE")
LEFT_OUT = {"__pycache__", "sample_class", "secret.key"}
SECRET = "course-secret.key"
# The secret lies in the same container: at E a submission could read it.
LEAST_LEVEL = "D"
SETUP = """#!/usr/bin/env bash
# Gradescope runs this once: the interpreter, the packages and the model.
set -euo pipefail
cd "$(dirname "$0")"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq make
    for python in python3.13 python3.12 python3.11; do
        apt-get install -y -qq "$python" "$python-venv" && break
    done
fi
make fetch
"""
RUN = """#!/usr/bin/env bash
# Gradescope runs this for each submission. Whatever goes wrong later, there is a result.
root="${AUTOGRADER_ROOT:-/autograder}"
mkdir -p "$root/results"
cat > "$root/results/results.json" <<'END'
{"score": 0, "output": "The grader did not finish. Tell the course staff.",
 "output_format": "text", "visibility": "visible", "stdout_visibility": "hidden"}
END
cd "$root/source"
export KEYHOLE_SECRET_FILE="$PWD/course-secret.key"
exec .venv/bin/python -m autograder.cli gradescope "$root"
"""


def pack() -> bytes:
    """The zip, with the course secret in it: hand it to nobody but Gradescope."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder in FOLDERS:
            for path in sorted((ROOT / folder).rglob("*")):
                name = path.relative_to(ROOT)
                hidden = any(part.startswith(".") for part in name.parts)
                if path.is_file() and not hidden and not LEFT_OUT.intersection(name.parts):
                    archive.write(path, name.as_posix())
        for name in FILES:
            archive.write(ROOT / name, name)
        archive.writestr(_entry("setup.sh", 0o755), SETUP)
        archive.writestr(_entry("run_autograder", 0o755), RUN)
        archive.writestr(_entry(SECRET, 0o600), course_secret().hex())
    return packed.getvalue()


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, (0o100000 | mode) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def results_of(result: Result) -> dict:
    """What Gradescope reads. Texts are plain: nothing of a student becomes markup."""
    held = f"Points of the hidden tests alone: {result.score:g} of {result.max_score:g}."
    said = [held, result.reason or "", f"Isolation level {result.isolation}."]
    return {
        "score": result.score,
        "execution_time": round(result.seconds, 1),
        "output": one_line(" ".join(filter(None, said)), 10_000),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [
            {
                "name": f"{test.function}: {test.title}",
                "number": test.id,
                "score": test.points,
                "max_score": test.max_points,
                "status": "passed" if test.verdict == "pass" else "failed",
                "output": f"{sign(test.verdict)}  {one_line(test.message, 600)}",
                "output_format": "text",
                "visibility": "visible",
            }
            for test in result.tests
        ],
    }


def grade_there(root: Path) -> int:
    """Grade ROOT/submission, and write ROOT/results/results.json; the exit status.

    Raises KeyholeError where students' code may not run there.
    """
    print(admit(LEAST_LEVEL, False))
    grader = Grader()
    grader.prepare()
    with tempfile.TemporaryDirectory() as folder:
        # The grader says of a file where it was, seen from a student's folder.
        place = Path(folder, "student", ASSIGNMENT)
        shutil.copytree(root / "submission", place, symlinks=True)
        result = grade_submission(place, "student", grader)
    content = json.dumps(results_of(result), ensure_ascii=False, indent=1)
    write_atomically(root / "results" / "results.json", content.encode("utf-8", "replace"))
    print(f"{result.score:g} of {result.max_score:g}", file=sys.stderr)
    return 0
