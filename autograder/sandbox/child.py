"""The child: a process that runs one student's definitions and answers calls of their functions.

zygote.py forks it, with nearly everything loaded. The child cuts itself off, loads the models that
it is told to, and locks itself in behind the walls of lockdown.py. Until the request "define" all
that runs is ours; from then on everything in this process belongs to the student.
"""

import json
import math
import os
import re
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from autograder.sandbox import lockdown, wire
from keyhole.checking.adapters import ADAPTERS, LEFT_BEHIND, BadResult
from keyhole.checking.student import (
    SOURCE_NAME,
    Student,
    blank_of,
    describe,
    fresh_main,
    line_number,
)
from keyhole.errors import KeyholeError
from keyhole.models import EditableModel, load_model
from keyhole.text import one_line
from keyhole.toy import toy_model

REQUEST_HEADER_BYTES = 64 * 2**20  # the grader's own: it holds the student's source
NO_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|cannot allocate memory", re.IGNORECASE
)
# What torch and numpy say of memory that they did not get.
ASKED = re.compile(r"tried to allocate (\d+) bytes|Unable to allocate (\d+\.?\d*) ([KMGTP])iB")
PR_SET_NO_NEW_PRIVS = 38


def serve(requests: int, replies: int, models: dict, lock_in: Callable[[dict], None]) -> None:
    """Answer requests until the grader closes the pipe.

    lock_in(limits) is called before anything of the student's runs. `models` are those loaded, by
    name.
    """
    student = None
    while frame := _read(requests):
        tensors, text = wire.unpack(frame, REQUEST_HEADER_BYTES)
        content = json.loads(text["content"])
        match text["command"]:
            case "prepare":
                _, answer = _tried(_prepare, content, models, lock_in)
            case "define":
                sys.meta_path.insert(0, StaffOnly())
                with _processor_time(content["seconds"]):
                    student, answer = _tried(Student, content["source"], fresh_main())
            case "call":
                with _processor_time(content["seconds"]):
                    answer = _answer(student, tensors, content, models)
        _write(replies, answer)


@contextmanager
def _processor_time(seconds: float) -> Iterator[None]:
    """Let SIGPROF end this process after so much of its processor time.

    On a loaded machine the wall clock says little of what was computed. Code that switches this off
    meets the wall limit instead.
    """
    signal.setitimer(signal.ITIMER_PROF, seconds)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)


def _prepare(content, models, lock_in) -> None:
    load(content["models"], models)
    lock_in(content["limits"])


def _tried(work, *arguments) -> tuple:
    """(what the work returned, the frame that says so); or (None, a frame that says why not)."""
    try:
        return work(*arguments), wire.pack({}, status="done")
    except BaseException as error:  # a model that does not load, definitions that do not even parse
        return None, wire.pack({}, status="raised", detail=describe(error))


class StaffOnly:
    """Refuses to import the grader's own modules.

    An honest mistake or a cheap trick ends here; a determined one does not.
    """

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raise ImportError for a module of the grader's; leave the others to the next finder."""
        if name.partition(".")[0] == "autograder":
            raise ImportError("the grader's own modules are not for submissions")


def load(models: Iterable[str], loaded: dict) -> None:
    """Load the models of those names into `loaded`, before there are limits."""
    for name in models:
        if name not in loaded:
            loaded[name] = load_model(name)
            loaded[name].next_token_probabilities(["Warm"])


def limit(limits: Mapping, alone: bool) -> None:
    """Set limits that the process cannot lift again, unless it is root.

    limits: the fields of process.Limits. `alone`: the process cannot start another one, nor a
    thread.
    """
    if sys.platform == "linux":
        lockdown.prctl(PR_SET_NO_NEW_PRIVS, 1)
    cpu = math.ceil(limits["cpu_seconds"] + sum(os.times()[:2]))
    for what, soft, hard in [
        (resource.RLIMIT_CPU, cpu, cpu + 5),  # SIGXCPU says why; SIGKILL follows
        (resource.RLIMIT_FSIZE, *[limits["file_mb"] * 2**20] * 2),
        (resource.RLIMIT_NOFILE, 256, 256),
        (resource.RLIMIT_CORE, 0, 0),
        *([] if alone else _process_limit(limits["processes"])),
        *_memory_limit(limits["memory_mb"]),
    ]:
        with suppress(ValueError, OSError):  # where the grader itself is held lower
            resource.setrlimit(what, (soft, hard))


def _memory_limit(megabytes: int):
    with suppress(OSError):  # address space is counted so on Linux only
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        yield (resource.RLIMIT_AS, *[used + megabytes * 2**20] * 2)


def _process_limit(more: int):
    """The kernel counts all of a user's threads together, and root's not at all."""
    if os.getuid() == 0 or sys.platform != "linux":
        return
    mine = 0
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if process.stat().st_uid == os.getuid():
                mine += len(os.listdir(process / "task"))
    yield resource.RLIMIT_NPROC, mine + more, mine + more


def _answer(student, tensors, content, models) -> bytes:
    """The frame that answers one call."""
    problem, line = "", 0
    try:
        function = student.function(content["function"])
        reply = ADAPTERS[content["adapter"]](
            function, tensors, content["options"], *_model(content["options"].get("model"), models)
        )
        if any(map(reply.get, LEFT_BEHIND)):
            _toy.cache_clear()
        size = sum(tensor.numel() * tensor.itemsize for tensor in reply.values())
        if size > content["reply_bytes"]:
            raise BadResult("big")
        return wire.pack(reply, status="done")
    except BadResult as bad:
        code, detail = bad.code, bad.detail
    except BaseException as error:
        _toy.cache_clear()  # nobody looked at what the call left on it
        problem, line = _problem_of(error), _line_of(error)
        if (
            isinstance(error, MemoryError)
            or isinstance(error, (RuntimeError, OSError))
            and NO_MEMORY.search(describe(error))
        ):
            step = step_of(error)
            code, detail = ("memory_step" if step else "memory"), step
        elif blank := blank_of(error, SOURCE_NAME):
            other = blank != content["function"] and blank.isidentifier()
            code, detail = ("stub_called", blank) if other else ("stub", "")
        else:
            code, detail = "raised", student.explain(error)
    return wire.pack({}, status=code, detail=one_line(detail), problem=problem, line=str(line))


def step_of(error: BaseException) -> str:
    """ "LINE MEGABYTES": the line of the notebook that asked for too much memory, and how much.

    Megabytes are rounded (wire.rounded). It is empty where either is unknown.
    """
    asked, line = ASKED.search(describe(error)), line_number(error, SOURCE_NAME)
    if not asked or not line:
        return ""
    of_torch, of_numpy, unit = asked.groups()
    count = int(of_torch) if of_torch else float(of_numpy) * 1024 ** (" KMGTP".index(unit))
    return f"{line} {wire.rounded(count / 2**20)}"


def _line_of(error) -> int:
    """The notebook's line that raised, counted from 1; 0 where none did, or nothing can be told."""
    try:
        return int(line_number(error, SOURCE_NAME))
    except BaseException:
        return 0


def _problem_of(error) -> str:
    """The code of a KeyholeError, "" for any other error, and for one that cannot say it."""
    try:
        return one_line(error.code, 60) if isinstance(error, KeyholeError) and error.code else ""
    except BaseException:
        return ""


def _model(spec, models) -> list:
    """The model that a call's options name or specify, as further arguments of the adapter."""
    if spec is None:
        return []
    if isinstance(spec, str):
        return [models[spec]]
    return [_toy(json.dumps(spec))]


@lru_cache(maxsize=1)
def _toy(spec: str) -> EditableModel:
    """The toy model of a specification: the same object for calls in a row, while it is unchanged.

    So a function that keeps results by the model shows it, as it would in a notebook.
    """
    return toy_model(**json.loads(spec))


def _read(pipe: int) -> bytes:
    """The blob of the next frame, empty at the end."""
    prefix = _exactly(pipe, wire.LENGTH)
    return _exactly(pipe, wire.size(prefix)) if prefix else b""


def _exactly(pipe: int, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        part = os.read(pipe, min(count - len(data), 2**20))
        if not part:
            return b""
        data += part
    return bytes(data)


def _write(pipe: int, frame: bytes) -> None:
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def _keep_only(*descriptors: int) -> None:
    """Close every other descriptor; input, output and errors are nobody's."""
    for kept in descriptors:
        os.set_inheritable(kept, False)
    for low, high in pairwise([2, *sorted(descriptors), 2**16]):
        os.closerange(low + 1, high)
    null = os.open(
        os.devnull, os.O_RDWR
    )  # its own: flags of the zygote's would reach the next child
    for standard in range(3):
        os.dup2(null, standard)
    os.close(null)


def live_in(folder: str) -> None:
    """Make `folder` the place of everything that is written."""
    os.chdir(folder)
    os.environ |= dict.fromkeys(["HOME", "TMPDIR", "MPLCONFIGDIR"], folder)
    os.environ.pop(
        "TORCHINDUCTOR_CACHE_DIR", None
    )  # torch keeps the temporary folder of its import there
    tempfile.tempdir = folder  # named without a try: at levels A to D nothing can be written


def main(requests: int, replies: int, box: str, parent: int, models: dict, level: str) -> None:
    """Serve as the new child of the process `parent`, in the folder `box`. Does not return.

    requests, replies: file descriptors of the two pipes. models: those that are loaded, by name.
    """
    lockdown.tie_to(parent)
    os.setsid()
    _keep_only(requests, replies)
    live_in(box)

    def forget():
        for descriptor in (requests, replies):
            with suppress(OSError):
                os.close(descriptor)

    def lock_in(limits):
        limit(limits, alone=level != "E")
        lockdown.lock_in(level, parent)

    os.register_at_fork(
        after_in_child=forget
    )  # a forked grandchild must not answer, nor keep the pipe open
    serve(requests, replies, models, lock_in)
    os._exit(0)  # whatever threads and exit handlers the student left
