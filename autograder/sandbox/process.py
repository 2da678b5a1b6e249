"""One child process, as the grader sees it: two pipes, a lifeline and a deadline.

The grader believes a child in nothing: every wait has a deadline, every reply a size limit.
"""

import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress

from autograder.sandbox import wire, zygote_client
from autograder.sandbox.failures import NotStarted, StudentFailed, ZygoteLost
from autograder.sandbox.limits import MB, STANDSTILL_SECONDS, Clock
from autograder.sandbox.zygote_client import ZygoteClient


class ChildProcess:
    """A process, the two pipes to it, its lifeline, and its temporary folder.

    It has such a folder at level E only: elsewhere it can write nowhere.
    """

    def __init__(self, zygote: ZygoteClient, models: list[str]):
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
            # Not on Linux, or where too many pipes are large already; then a matrix takes 50 parts.
            with suppress(AttributeError, OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, MB)
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
        """The reply to a frame, of at most `reply_bytes`.

        Raises StudentFailed or ZygoteLost; the caller then closes this child.
        """
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
        """Has the child written something, or ended, although nothing was asked?

        Then what it sends next cannot be trusted to be the reply.
        """
        return bool(_ready(0, self._from, self._lifeline))

    def close(self) -> None:
        """End the process and all that it started, and remove its folder."""
        with suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_WR)
        if not _ready(zygote_client.SILENT_SECONDS, self._lifeline):
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
        """Return when the pipe is ready.

        Raises TimeoutError, or EOFError when the process has ended and left nothing to read.
        """
        ready = ()
        while not ready:
            ready = _ready(min(clock.left, STANDSTILL_SECONDS), (pipe, event), self._lifeline)
            if clock.tick() <= 0:  # also for a child that trickles bytes
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
    """The failure that an exit status, or the negative number of a signal, stands for."""
    if status >= 0:
        return StudentFailed("exited", status)
    if -status == signal.SIGKILL:
        return StudentFailed("killed")
    if -status == signal.SIGPROF:  # child.py sets that timer
        return StudentFailed("timeout")
    if -status == signal.SIGXCPU:
        return StudentFailed("cpu")
    return StudentFailed("crashed", signal.strsignal(-status) or -status)


def _ready(seconds: float, *watched) -> list[int]:
    """The descriptors among `watched` that are ready within the time.

    Each is one to read from, or a pair with a poll event.
    """
    poll = select.poll()
    for each in watched:
        poll.register(*each if isinstance(each, tuple) else (each, select.POLLIN))
    return [descriptor for descriptor, _ in poll.poll(max(0, seconds) * 1000)]


def _remove(box: str) -> None:
    """Remove a folder that a student may have filled with closed or very deep folders."""
    with suppress(RecursionError):
        shutil.rmtree(box, ignore_errors=True)
    if os.path.exists(box):  # neither command follows links
        silent = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.DEVNULL)
        for command in (["chmod", "-R", "u+rwX", box], ["rm", "-rf", box]):
            subprocess.run(command, **silent, check=False)
