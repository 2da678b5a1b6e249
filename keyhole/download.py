"""Download one wheel with pip: its settings are the user's, its checksum is ours.

pip knows the user's mirror, proxy, certificates, time-out and retries, from its configuration and
from the environment. Nothing here overrides them.
"""

import errno
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tqdm import tqdm

from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.text import one_line

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}  # a disk, or a share of it
ERROR = "error: "  # how pip begins its last words, in capitals or not
REASONS = ("ERROR: ", "× ")  # how it begins a line that tells why it fails
STDERR = 2  # as a number, since in a notebook sys.stderr is no file that pip could write to


def download(package: str, sha256: str, folder: Path, progress: bool = True) -> Path:
    """
    The wheel of `package` ("name==version"), downloaded into the new folder `folder`.

    sha256: the wheel's checksum; pip refuses any other file. `folder` holds half a download as
    well, so whoever removes it removes all.
    progress: show pip's progress bar and warnings on stderr.
    Raises KeyholeError when pip is missing or fails, and OSError when the disk is full.
    """
    by_hand = problem("by_hand", package=package)
    if not find_spec("pip"):
        raise KeyholeError(problem("no_pip", python=sys.executable, by_hand=by_hand))
    folder.mkdir()
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package} --hash=sha256:{sha256}\n", encoding="utf-8")
    status, lines = _run(
        *("download", "--no-deps", "--require-hashes", "--requirement", wanted, "--dest", folder),
        "--only-binary=:all:",  # the checksum is a wheel's, so it fits no source package
        *("--no-input", "--disable-pip-version-check"),
        temporary=folder,
        progress=progress,
    )
    if status:
        reason = _reason(lines) or problem("pip_status", status=status)
        for number in FULL:
            if f"[Errno {number}]" in str(reason):
                raise OSError(number, os.strerror(number))
        raise KeyholeError(problem("pip_failed", package=package, reason=reason, by_hand=by_hand))
    return next(folder.glob("*.whl"))


def _run(*arguments: str | Path, temporary: Path, progress: bool) -> tuple[int, list[str]]:
    """Run pip: its exit status, and the lines that it wrote to stderr."""
    lines, failing = [], False
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "pip", *arguments],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=STDERR if progress else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as pip:
        try:
            for line in pip.stderr:
                lines.append(line.strip())
                failing = failing or line.lower().startswith(ERROR)
                if progress and not failing:  # errors, and what explains them, are for our sentence
                    tqdm.write(line, file=sys.stderr, end="")
        except BaseException:  # Ctrl-C among them: pip must not go on alone
            pip.kill()
            raise
    return pip.returncode, lines


def _reason(lines: list[str]) -> str:
    """Why pip failed: the first sentence of its last error. Empty when it said nothing."""
    errors = [line.split(" ", 1)[1] for line in lines if line.startswith(REASONS)]
    if errors[-1:] in ([], ["Exception:"]):  # a traceback, which ends with the exception
        errors = [line for line in lines if line]
    return one_line(errors[-1].split(". ")[0]).rstrip(".") if errors else ""
