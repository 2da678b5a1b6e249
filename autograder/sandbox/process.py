"""The grader's side of a child process that runs one student's definitions.

The child is believed in nothing: every wait has a deadline, every reply a size limit, and only plain tensors come
back. After a time-out or a death the whole process group is gone, and the next call starts a fresh one.
"""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from autograder.sandbox import wire
from keyhole.errors import KeyholeError
from keyhole.paths import cache_folder, data_folder
from keyhole.text import one_line

# code -> (kind, sentence). The child sends only a code and a detail, so that every sentence stands here.
FAILURES = {
    "stub": ("missing", "still raises NotImplementedError: the blank is not filled in"),
    "absent": ("missing", "there is no function `{detail}`"),
    "definitions": ("error", "your definitions did not run: {detail}"),
    "raised": ("error", "raised {detail}"),
    "none": ("error", "returned None: is there a `return`?"),
    "type": ("error", "returned a {detail}, not a tensor"),
    "device": ("error", "returned a tensor of {detail}, not an ordinary one on the CPU"),
    "dtype": ("error", "returned a tensor of dtype {detail}, which cannot be graded"),
    "big": ("error", "returned {detail}, which is too large to be right"),
    "memory": ("error", "ran out of memory: the limit is {detail} MB"),
    "timeout": ("timeout", "took longer than {detail} s and was stopped"),
    "cpu": ("timeout", "used more than {detail} s of processor time and was stopped"),
    "exited": ("error", "ended its own process (exit status {detail}) before it returned"),
    "crashed": ("error", "crashed its own process ({detail}) before it returned"),
    "killed": ("error", "was killed from outside, most likely because the machine ran out of memory"),
    "garbled": ("error", "sent a reply that cannot be read: {detail}"),
}

CHILD = Path(__file__).with_name("child.py")
POLL_SECONDS = 0.05  # how late a death is seen when a grandchild keeps the pipe open
MB = 2**20
LIBRARIES = re.compile(r"^\s*(?:from|import)\s+((?:transformers|matplotlib|numpy|keyhole)(?:\.\w+)*)", re.MULTILINE)


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    seconds: float = 10.0  # wall clock, per call
    start_seconds: float = 60.0  # wall clock, for importing the libraries and loading the models
    cpu_seconds: int = 600  # processor time of one process over all its calls: bounds what escapes the wall clock
    memory_mb: int = 2048  # address space above that of the loaded child
    reply_mb: int = 32
    file_mb: int = 16  # size of any one file


@dataclass(frozen=True)
class Reply:
    """Fresh plain CPU tensors by name; their names, shapes and values are still to be checked by whoever asked."""

    tensors: dict[str, torch.Tensor]


class StudentFailed(Exception):
    """The student's code gave no tensor. `kind` is "error", "timeout" or "missing"; `message` one untrusted line."""

    def __init__(self, code: str, detail=""):
        self.code, self.detail = code, one_line(detail, 250)
        self.kind, sentence = FAILURES[code]
        self.message = one_line(sentence.format(detail=self.detail))
        super().__init__(self.message)


class Sandbox:
    """One submission's definitions, in a process of their own; a context manager.

    `models` names the real models that calls will ask for: they are loaded at the start, while a model first
    named by a later call costs a second start. Raises KeyholeError when the process cannot be started.
    Use it in one thread: on Linux the process dies with the thread that started it.
    """

    level = "E"

    def __init__(self, definitions_source: str, limits: Limits = Limits(), models=()):
        self.limits, self._source = limits, definitions_source
        self._modules, self._models = frozenset(LIBRARIES.findall(definitions_source)), frozenset(models)
        if models:  # then transformers is there, and whatever a call may need of it costs next to nothing
            self._modules |= {"keyhole.toy", "transformers.pytorch_utils"}
        self._child = self._unusable = None
        self._last_words = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """End the process and all that it left; a later call starts a new one."""
        child, self._child = self._child, None
        if child:
            child.close()

    def call(self, function: str, adapter: str = "plain", tensors=None, options=None, seconds: float | None = None) -> Reply:
        """What the student's `function` makes of `tensors`, by way of an adapter (adapters.py says what each returns).

        Raises StudentFailed for everything that the student's code can cause.
        """
        options, seconds = options or {}, seconds or self.limits.seconds
        if self._unusable:
            raise self._unusable
        self._be_ready(*_needs(options))
        frame = {"adapter": adapter, "function": function, "options": options, "reply_bytes": self.limits.reply_mb * MB}
        sent = tensors or {}
        if options.get("after"):  # then what was sent comes back as well
            frame["reply_bytes"] += sum(tensor.nbytes for tensor in sent.values())
        tensors = self._ask("call", frame, seconds, sent, frame["reply_bytes"] + wire.HEADER_BYTES)
        if isinstance(options.get("model"), str) and any(tensors[sign].any() for sign in ("model_changed", "hooks_left") if sign in tensors):
            self.close()  # the model it holds is no longer the one that was loaded
        return Reply(tensors)

    def _be_ready(self, modules, models) -> None:
        """Have a process that holds what is needed, and has run the definitions."""
        if self._child and (not (modules <= self._modules and models <= self._models) or self._child.has_spoken()):
            self.close()
        self._modules, self._models = self._modules | modules, self._models | models
        if self._child:
            return
        self._child = _Child()
        try:
            self._ask("prepare", {"modules": sorted(self._modules), "models": sorted(self._models)}, self.limits.start_seconds)
        except StudentFailed as error:  # nothing of the student's has run yet
            raise KeyholeError(f"the sandbox did not start: {self._last_words or error.message}") from None
        try:
            self._ask("define", {"source": self._source, "limits": asdict(self.limits)}, self.limits.seconds)
        except StudentFailed as error:
            self._unusable = StudentFailed("definitions", error.message)
            self._unusable.kind = error.kind
            raise self._unusable from None

    def _ask(self, command: str, content: dict, seconds: float, tensors=None, reply_bytes: int = wire.HEADER_BYTES) -> dict:
        """Send one request, wait for its reply, and return its tensors."""
        try:
            blob = self._child.exchange(wire.pack(tensors or {}, command=command, content=json.dumps(content)), seconds, reply_bytes)
            tensors, text = wire.unpack(blob)
            code = text.get("status")
            if code != "done" and code not in FAILURES:
                raise wire.WireError("it has no status")
        except StudentFailed as error:
            self._give_up()
            if error.code == "cpu":
                raise StudentFailed("cpu", self.limits.cpu_seconds) from None
            raise
        except wire.WireError as error:
            self._give_up()
            raise StudentFailed("garbled", error) from None
        except BaseException:  # such as the TA's Ctrl-C: half an exchange cannot be gone on with
            self.close()
            raise
        if code != "done":
            raise StudentFailed(code, text.get("detail", ""))
        return tensors

    def _give_up(self) -> None:
        self._last_words = self._child.last_words()
        self.close()


def _needs(options) -> tuple[frozenset, frozenset]:
    """(modules, models) that a call needs in the child before its time starts to count."""
    model = options.get("model")
    if isinstance(model, str):
        return frozenset(), frozenset([model])
    if model is not None:
        return frozenset(["keyhole.toy"]), frozenset()
    return frozenset(["transformers.pytorch_utils"] if options.get("kind") == "conv1d" else []), frozenset()


class _Child:
    """A process, the two pipes to it, and its temporary folder."""

    def __init__(self):
        if not hasattr(os, "setsid"):
            raise KeyholeError("the autograder needs Linux or macOS: on Windows run it inside WSL.")
        self.box = os.path.realpath(tempfile.mkdtemp(prefix="keyhole-"))
        self._log = tempfile.TemporaryFile()
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        try:
            # -P: a module planted in the working folder is not imported; -s: nor one of the user's own folder.
            command = [sys.executable, "-P", "-s", str(CHILD), str(theirs_in), str(theirs_out), str(os.getpid())]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self._log, pass_fds=(theirs_in, theirs_out),
                cwd=self.box, env=_environment(self.box), start_new_session=True)
        except OSError as error:
            self._process = None
            self.close()
            raise KeyholeError(f"the sandbox did not start: {error.strerror}.") from None
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def exchange(self, frame: bytes, seconds: float, reply_bytes: int) -> bytes:
        """The reply to a frame, of at most `reply_bytes`. Raises StudentFailed; the caller then closes this child."""
        deadline = time.monotonic() + seconds
        try:
            self._send(frame, deadline)
            length = wire.size(self._receive(wire.LENGTH, deadline))
            if length > reply_bytes:
                raise StudentFailed("big", f"{length / MB:.3g} MB")
            return self._receive(length, deadline)
        except TimeoutError:
            raise StudentFailed("timeout", f"{seconds:g}") from None
        except EOFError:
            raise self._cause_of_death(deadline) from None

    def has_spoken(self) -> bool:
        """Is there anything to read (or an end) when nothing was asked? Then what follows cannot be trusted to be a reply."""
        return bool(_ready(self._from, select.POLLIN, 0)) or self._process.poll() is not None

    def last_words(self) -> str:
        """The last line the process wrote to stderr before the student's definitions ran."""
        with suppress(OSError, ValueError):
            self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
            return one_line((self._log.read().decode(errors="replace").strip().splitlines() or [""])[-1])
        return ""

    def close(self) -> None:
        if self._process:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _kill_strays(self.box)
        os.close(self._to)
        os.close(self._from)
        self._log.close()
        _remove(self.box)

    def _send(self, data: bytes, deadline: float) -> None:
        rest = memoryview(data)
        with suppress(BrokenPipeError):  # it died: what it left to read says more
            while rest:
                self._wait(self._to, select.POLLOUT, deadline)
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._to, rest[:MB]) :]

    def _receive(self, count: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._wait(self._from, select.POLLIN, deadline)
            with suppress(BlockingIOError):
                part = os.read(self._from, min(count - len(data), MB))
                if not part:
                    raise EOFError
                data += part
        return bytes(data)

    def _wait(self, pipe: int, event: int, deadline: float) -> None:
        """Return when the pipe is ready. Raises TimeoutError, or EOFError when the process has ended and left nothing to read."""
        while not _ready(pipe, event, POLL_SECONDS):
            if time.monotonic() > deadline:
                raise TimeoutError
            if self._process.poll() is not None and not _ready(pipe, event, 0):
                raise EOFError
        if time.monotonic() > deadline:  # also for one that trickles bytes
            raise TimeoutError

    def _cause_of_death(self, deadline: float) -> StudentFailed:
        try:
            status = self._process.wait(max(0.5, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:  # it closed its pipe and lives on
            return StudentFailed("garbled", "it closed the pipe")
        if status >= 0:
            return StudentFailed("exited", status)
        if -status == signal.SIGKILL:
            return StudentFailed("killed")
        if -status == signal.SIGXCPU:
            return StudentFailed("cpu")
        return StudentFailed("crashed", signal.strsignal(-status) or -status)


def _ready(pipe: int, event: int, seconds: float) -> list:
    poll = select.poll()
    poll.register(pipe, event)
    return poll.poll(seconds * 1000)


def _environment(box: str) -> dict[str, str]:
    """All the environment that a child has: nothing of the grader's but where the model and the data lie."""
    one_thread = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"], "1")
    own_folder = dict.fromkeys(["HOME", "TMPDIR", "MPLCONFIGDIR"], box)
    offline = dict.fromkeys(["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"], "1")
    return one_thread | own_folder | offline | {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg",
        "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "",
        "KEYHOLE_CACHE": str(cache_folder().resolve()), "KEYHOLE_DATA": str(data_folder().resolve()),
    }


def _kill_strays(box: str) -> None:
    """Kill what left the process group: its environment still names the box. (Linux; elsewhere they outlive the group.)"""
    for _ in range(10):
        strays = [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _names(entry, box)] if os.path.isdir("/proc") else []
        for pid in strays:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if not strays:
            return


def _names(pid: str, box: str) -> bool:
    try:
        return box.encode() in Path("/proc", pid, "environ").read_bytes()
    except OSError:
        return False


def _remove(box: str) -> None:
    """Remove a folder that a student may have filled with closed or very deep folders."""
    with suppress(RecursionError):
        shutil.rmtree(box, ignore_errors=True)
    if os.path.exists(box):  # neither command follows links
        for command in (["chmod", "-R", "u+rwX", box], ["rm", "-rf", box]):
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
