"""The grader's side of the child processes that run students' definitions, and of the zygote from which they are forked.

A child is believed in nothing: every wait has a deadline, every reply a size limit, and only plain tensors come
back. After a time-out or a death all that it started is gone, and the next call gets a fresh one.
"""

import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import tomllib
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from autograder.sandbox import adapters, isolation, wire
from keyhole.errors import KeyholeError
from keyhole.messages import Remark
from keyhole.text import one_line

# code -> kind. The child sends only a code and a detail, so that every sentence stands with the grader, in autograder/messages.
FAILURES = {
    **dict.fromkeys(["stub", "absent"], "missing"),
    **dict.fromkeys(
        ["definitions", "raised", "none", "type", "device", "layout", "dtype", "big", "memory"],
        "error",
    ),
    **dict.fromkeys(["timeout", "cpu", "submission"], "timeout"),
    **dict.fromkeys(["exited", "crashed", "killed", "lost", "garbled"], "error"),
}

# What a child may say of a failure, which may be forged: code -> the details that there are, or None for text to be quoted with care.
SAID = {
    **dict.fromkeys(["stub", "none"], {""}),
    **dict.fromkeys(["definitions", "raised", "type"]),
    "device": {"meta"},
    "layout": {str(each) for each in vars(torch).values() if isinstance(each, torch.layout)},
    "dtype": {
        str(each).removeprefix("torch.")
        for each in vars(torch).values()
        if isinstance(each, torch.dtype)
    },
}

ZYGOTE = Path(__file__).with_name("zygote.py")
STANDSTILL_SECONDS = 0.5  # what of a standstill of the grader's own is counted as the student's
SILENT_SECONDS = (
    60  # a zygote that takes longer to end a child is given up; it may be loading a model
)
MB = 2**20


@dataclass(frozen=True)
class Limits:
    """What one submission may use; limits.toml changes it for a course."""

    seconds: float = 10.0  # wall clock, per call; a hidden test may ask for more
    submission_seconds: float = 300.0  # wall clock, for all calls and definitions of one submission together, in whatever processes
    start_seconds: float = 60.0  # wall clock, for what the first of a batch waits for: importing the libraries, loading the models
    cpu_seconds: int = (
        600  # processor time of one process over all its calls: bounds what escapes the wall clock
    )
    memory_mb: int = 1024  # address space above that of the loaded child
    reply_mb: int = 32
    file_mb: int = 16  # size of any one file, where files can be written: at level E
    processes: int = 64  # and threads, where any can be started: at level E

    @classmethod
    def read(cls, path: str | Path) -> "Limits":
        """The limits with what a TOML file says; raises KeyholeError if that is not about limits."""
        try:
            given = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise KeyholeError(f"the limits {path} cannot be read: {error}") from None
        for name, value in given.items():
            if name not in cls.__dataclass_fields__:
                raise KeyholeError(
                    f"{path}: there is no limit {name!r}, only"
                    f" {', '.join(cls.__dataclass_fields__)}"
                )
            kind = type(getattr(cls, name))
            if type(value) not in (int, kind) or not 0 < value < 2**31:
                raise KeyholeError(
                    f"{path}: {name} is {value!r}, not a {'whole ' if kind is int else ''}number"
                    " above 0"
                )
        return cls(**given)


@dataclass(frozen=True)
class Reply:
    """Fresh plain CPU tensors by name; their names, shapes and values are still to be checked by whoever asked."""

    tensors: dict[str, torch.Tensor]


@dataclass
class Allowance:
    """Seconds that a submission may use in all its processes together."""

    seconds: float
    used: float = 0.0

    @property
    def left(self) -> float:
        return self.seconds - self.used


class Clock:
    """Seconds that are left of a limit. A standstill of the grader's own, as when a parser holds Python's lock for another thread, is not the student's."""

    def __init__(self, seconds: float):
        self.seconds = self.left = seconds
        self._at = time.monotonic()

    def tick(self) -> float:
        """Count what has passed, and return what is left."""
        now = time.monotonic()
        self.left, self._at = self.left - min(now - self._at, STANDSTILL_SECONDS), now
        return self.left


class NotStarted(KeyholeError):
    """There is no process for students' code: a matter of the machine, and no student's.

    `said` is the name of the sentence; `error` fills its gap.
    """

    def __init__(self, said: str, error: object):
        from autograder.messages import sentence  # late, as below

        super().__init__(sentence(said, error=error))


class StudentFailed(Exception):
    """The student's code gave no tensor. `code` is one of FAILURES, `kind` "error", "timeout" or "missing".

    `detail` is one untrusted line. `problem`, untrusted too, is the code of a KeyholeError of the library's that was raised.
    `cause` is the failure that kept definitions from running.
    """

    def __init__(
        self,
        code: str,
        detail: object = "",
        problem: str | None = None,
        cause: "StudentFailed | None" = None,
    ):
        self.code, self.detail, self.problem, self.cause = (
            code,
            one_line(detail, 250),
            problem,
            cause,
        )
        self.kind = cause.kind if cause else FAILURES[code]
        super().__init__(code, self.detail)

    def __str__(self):
        return one_line(self.remark)

    @property
    def remark(self) -> Remark:
        """What is said of it. Its subject is the function, unless it is about the definitions."""
        # Late: the zygote loads this module too, where no sentence of the staff's can be read.
        from autograder.messages import failure, sentence

        if self.cause:
            return sentence("not_defined", failure=self.cause.remark)
        return failure(self.code, self.detail.rstrip(".。?？"))


class ZygoteLost(Exception):
    """The zygote died, and with it the child; whose fault it was is not known."""


class Sandbox:
    """One submission's definitions, in a process of their own; a context manager. One call at a time, from any thread.

    `models` names the real models that calls will ask for: they are loaded at the start, while a model first
    named by a later call costs a second start. Sandboxes of one submission share its `allowance`. Raises NotStarted.

    When the zygote dies, everyone's calls are lost, and each is made again from a zygote of its sandbox's own:
    then a death is that submission's doing, and no other's affair.
    """

    def __init__(
        self,
        definitions_source: str,
        limits: Limits = Limits(),
        models=(),
        allowance: Allowance | None = None,
    ):
        self.limits, self._source, self._models = limits, definitions_source, frozenset(models)
        self._allowance = allowance or Allowance(limits.submission_seconds)
        self._zygote, self._child, self._unusable = SHARED, None, None

    @property
    def level(self) -> str:
        """The level of isolation (isolation.py)."""
        return self._zygote.level

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """End the process and all that it left; a later call starts a new one."""
        self._end_child()
        if self._zygote is not SHARED:
            self._zygote.close()

    def call(
        self,
        function: str,
        adapter: str = "plain",
        tensors=None,
        options=None,
        seconds: float | None = None,
    ) -> Reply:
        """What the student's `function` makes of `tensors`, by way of an adapter (adapters.py says what each returns).

        Raises StudentFailed for everything that the student's code can cause.
        """
        request = function, adapter, tensors or {}, options or {}, seconds or self.limits.seconds
        try:
            return self._call(*request)
        except ZygoteLost:
            self._zygote = Zygote(self.level)
            return self._call(*request)

    def _call(self, function, adapter, tensors, options, seconds) -> Reply:
        if self._unusable:
            raise self._unusable
        if self._allowance.left <= 0:
            raise self._used_up()
        model = options.get("model")
        self._be_ready({model} if isinstance(model, str) else set())
        frame = {
            "adapter": adapter,
            "function": function,
            "options": options,
            "reply_bytes": self.limits.reply_mb * MB,
        }
        if options.get("after"):  # then what was sent comes back as well
            frame["reply_bytes"] += sum(tensor.nbytes for tensor in tensors.values())
        reply = self._run("call", frame, seconds, tensors, frame["reply_bytes"] + wire.HEADER_BYTES)
        if isinstance(model, str) and (reply["model_changed"] or reply["hooks_left"]):
            self._end_child()  # the model it holds is no longer the one that was loaded
        return Reply(reply)

    def _be_ready(self, models) -> None:
        """Have a process that holds the models, and has run the definitions."""
        if self._child and (not models <= self._models or self._child.has_spoken()):
            self._end_child()
        self._models |= models
        if self._child:
            return
        names = sorted(self._models)
        self._child = _Child(self._zygote, names)
        try:
            self._ask(
                "prepare",
                {"models": names, "limits": asdict(self.limits)},
                Clock(self.limits.start_seconds),
            )
        except StudentFailed as error:  # nothing of the student's has run yet
            if (
                error.code == "timeout" and self._zygote is SHARED
            ):  # something of another's may have stopped it
                raise ZygoteLost from None
            # It can take its time: not once a test.
            self._unusable = (
                NotStarted("not_started", self._zygote.last_words())
                if error.code == "lost"
                else NotStarted("not_prepared", error.remark)
            )
            raise self._unusable from None
        try:
            self._run("define", {"source": self._source}, self.limits.seconds)
        except StudentFailed as error:
            if error.code == "submission":
                raise
            self._unusable = StudentFailed("definitions", cause=error)
            raise self._unusable from None

    def _run(self, command: str, content: dict, seconds: float, *request) -> dict:
        """`_ask` for what runs code of the student's, who pays for it."""
        last, clock = seconds >= self._allowance.left, Clock(min(seconds, self._allowance.left))
        try:
            return self._ask(command, content, clock, *request)
        except StudentFailed as error:
            raise self._used_up() if last and error.code == "timeout" else error from None
        finally:
            self._allowance.used += clock.seconds - clock.left

    def _used_up(self) -> StudentFailed:
        return StudentFailed("submission", f"{self._allowance.seconds:g}")

    def _ask(
        self,
        command: str,
        content: dict,
        clock: Clock,
        sent=None,
        reply_bytes: int = wire.HEADER_BYTES,
    ) -> dict:
        """Send one request, wait for its reply, and return its tensors."""
        try:
            blob = self._child.exchange(
                wire.pack(sent or {}, command=command, content=json.dumps(content)),
                clock,
                reply_bytes,
            )
            tensors, text = wire.unpack(blob)
            code = text.get("status")
            detail = text.get("detail", "")
            if code in (told := self._told(content)):
                detail = told[code]
            elif code != "done" and (
                code not in SAID or SAID[code] is not None and detail not in SAID[code]
            ):
                raise wire.WireError("it has no status")
            if code == "done" and command == "call":
                adapters.check_reply(tensors, content["adapter"], sent, content["options"])
        except (
            BaseException
        ) as error:  # also the TA's Ctrl-C: half an exchange cannot be gone on with
            self._end_child()
            match error:
                case wire.WireError():
                    raise StudentFailed("garbled", error) from None
                case StudentFailed(code="cpu"):
                    raise StudentFailed("cpu", self.limits.cpu_seconds) from None
                case ZygoteLost() if self._zygote is not SHARED:
                    raise StudentFailed("lost") from None
            raise
        if code != "done":
            raise StudentFailed(code, detail, text.get("problem"))
        return tensors

    def _told(self, content: dict) -> dict:
        """Details that the grader knows itself."""
        return {
            "absent": content.get("function", ""),
            "memory": self.limits.memory_mb,
            "big": f"more than {content.get('reply_bytes', 0) / MB:.3g} MB",
        }

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child:
            child.close()


class Zygote:
    """A process that forks children on demand: started when first needed, and again when it has died. Threads may share it.

    `level`: the level of isolation of its children; None means the best that the machine gives.
    """

    def __init__(self, level: str | None = None):
        self._level, self._lock = level, threading.Lock()
        self._process = self._control = self._log = None

    @property
    def level(self) -> str:
        return self._level or isolation.best().level

    def fork(self, box: str, models: list[str], *descriptors: int) -> None:
        """Ask for a child that lives in `box` and serves two pipes and a lifeline. Does not wait for it: should the zygote be
        dead, the lifeline ends. Raises NotStarted."""
        with self._lock:
            if not self._process or self._process.poll() is not None:
                self._start()
            with suppress(OSError):
                socket.send_fds(
                    self._control,
                    [json.dumps({"box": box, "models": models}).encode()],
                    descriptors,
                )

    def last_words(self) -> str:
        """What a dead zygote wrote last, else how it ended."""
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            status = self._process.wait(SILENT_SECONDS)
            self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
            said = one_line(
                (self._log.read().decode(errors="replace").strip().splitlines() or [""])[-1]
            )
            ended = f"exit status {status}" if status >= 0 else signal.strsignal(-status)
            return said.rstrip(".") or ended
        return "it gives no answer"

    def close(self, patience: float = SILENT_SECONDS) -> None:
        """End it and all its children, by force after `patience` seconds; a later `fork` starts it again."""
        with self._lock:
            self._end(patience)

    def _start(self) -> None:
        if not hasattr(os, "setsid"):
            raise KeyholeError("the autograder needs Linux or macOS: on Windows run it inside WSL.")
        self._end()
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._log = tempfile.TemporaryFile()
                self._process = subprocess.Popen(
                    isolation.command(self.level, ZYGOTE, self.level, theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._log,
                    pass_fds=[theirs.fileno()],
                    cwd="/",
                    env=isolation.environment(self.level),
                    start_new_session=True,
                )
        except OSError as error:
            self._end()
            raise NotStarted("not_started", error.strerror) from None

    def _end(self, patience: float = 0) -> None:
        process, self._process = self._process, None
        for own in filter(None, (self._control, self._log)):
            own.close()
        self._control = self._log = None
        if process:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(
                    process.pid, signal.SIGKILL
                )  # the group: bubblewrap, its first process inside and the zygote
                process.wait()


SHARED = Zygote()


class _Child:
    """A process, the two pipes to it, its lifeline, and its temporary folder: at level E, since elsewhere it can write nowhere."""

    def __init__(self, zygote: Zygote, models: list[str]):
        self._zygote, self.box = zygote, "/"
        if zygote.level == "E":
            try:
                self.box = os.path.realpath(tempfile.mkdtemp(prefix="keyhole-"))
            except OSError as error:
                raise NotStarted("no_folder", error.strerror) from None
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        self._lifeline, theirs = socket.socketpair()
        for pipe in (self._to, self._from):
            with suppress(AttributeError, OSError):  # not Linux, or too many large ones already
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, MB)  # else a matrix comes in 50 parts
        os.set_blocking(self._to, False)
        os.set_blocking(self._from, False)
        try:
            with theirs:
                zygote.fork(self.box, models, theirs_in, theirs_out, theirs.fileno())
        except BaseException:
            self.close()
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)

    def exchange(self, frame: bytes, clock: Clock, reply_bytes: int) -> bytes:
        """The reply to a frame, of at most `reply_bytes`. Raises StudentFailed; the caller then closes this child."""
        try:
            self._send(frame, clock)
            length = wire.size(self._receive(wire.LENGTH, clock))
            if length > reply_bytes:
                raise StudentFailed("big", f"{length / MB:.3g} MB")
            return self._receive(length, clock)
        except TimeoutError:
            raise StudentFailed("timeout", f"{clock.seconds:g}") from None
        except EOFError:
            raise self._cause_of_death(clock) from None

    def has_spoken(self) -> bool:
        """Is there anything to read (or an end) when nothing was asked? Then what follows cannot be trusted to be a reply."""
        return bool(_ready(0, self._from, self._lifeline))

    def close(self) -> None:
        with suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_WR)
        if not _ready(SILENT_SECONDS, self._lifeline):
            self._zygote.close(patience=0)
        self._lifeline.close()
        os.close(self._to)
        os.close(self._from)
        if self._zygote.level == "E":
            _remove(self.box)

    def _send(self, data: bytes, clock: Clock) -> None:
        rest = memoryview(data)
        with suppress(BrokenPipeError):  # it died: what it left to read says more
            while rest:
                self._wait(self._to, select.POLLOUT, clock)
                with suppress(BlockingIOError):
                    rest = rest[os.write(self._to, rest[:MB]) :]

    def _receive(self, count: int, clock: Clock) -> bytes:
        data = bytearray()
        while len(data) < count:
            self._wait(self._from, select.POLLIN, clock)
            with suppress(BlockingIOError):
                part = os.read(self._from, min(count - len(data), MB))
                if not part:
                    raise EOFError
                data += part
        return bytes(data)

    def _wait(self, pipe: int, event: int, clock: Clock) -> None:
        """Return when the pipe is ready. Raises TimeoutError, or EOFError when the process has ended and left nothing to read."""
        ready = ()
        while not ready:
            ready = _ready(min(clock.left, STANDSTILL_SECONDS), (pipe, event), self._lifeline)
            if clock.tick() <= 0:  # also for one that trickles bytes
                raise TimeoutError
        if pipe not in ready and not _ready(0, (pipe, event)):
            raise EOFError

    def _cause_of_death(self, clock: Clock) -> Exception:
        if not _ready(max(0.5, clock.left), self._lifeline):  # it closed its pipe and lives on
            return StudentFailed("garbled", "it closed the pipe")
        with suppress(OSError):
            if told := self._lifeline.recv(16):
                return _failure_of(int(told))
        return ZygoteLost()


def _failure_of(status: int) -> StudentFailed:
    """What an exit status, or the negative number of a signal, says."""
    if status >= 0:
        return StudentFailed("exited", status)
    if -status == signal.SIGKILL:
        return StudentFailed("killed")
    if -status == signal.SIGXCPU:
        return StudentFailed("cpu")
    return StudentFailed("crashed", signal.strsignal(-status) or -status)


def _ready(seconds: float, *watched) -> list[int]:
    """The descriptors among `watched` that are ready within the time: each one to read from, or a pair with a poll event."""
    poll = select.poll()
    for each in watched:
        poll.register(*each if isinstance(each, tuple) else (each, select.POLLIN))
    return [descriptor for descriptor, _ in poll.poll(max(0, seconds) * 1000)]


def _remove(box: str) -> None:
    """Remove a folder that a student may have filled with closed or very deep folders."""
    with suppress(RecursionError):
        shutil.rmtree(box, ignore_errors=True)
    if os.path.exists(box):  # neither command follows links
        for command in (["chmod", "-R", "u+rwX", box], ["rm", "-rf", box]):
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
