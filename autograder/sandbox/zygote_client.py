"""The grader's end of a zygote: starts it, asks it for children, and ends it (zygote.py)."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from autograder.sandbox import isolation
from autograder.sandbox.failures import NotStarted
from keyhole.errors import KeyholeError
from keyhole.text import one_line

PROGRAM = Path(__file__).with_name("zygote.py")
# A zygote that takes longer to end a child is given up. It may be loading a model meanwhile.
SILENT_SECONDS = 60


class ZygoteClient:
    """Talks to one zygote, which it starts when first needed, and again after it has died.

    Threads may share it. `level` is the level of isolation of the children; None means the best
    that this machine gives.
    """

    def __init__(self, level: str | None = None):
        self._level, self._lock = level, threading.Lock()
        self._process = self._control = self._log = None

    @property
    def level(self) -> str:
        return self._level or isolation.best().level

    def fork(self, box: str, models: list[str], *descriptors: int) -> None:
        """Ask for a child that lives in the folder `box` and serves two pipes and a lifeline.

        Does not wait for the child: if the zygote is dead, the lifeline ends. Raises NotStarted.
        """
        with self._lock:
            if not self._process or self._process.poll() is not None:
                self._start()
            request = json.dumps({"box": box, "models": models}).encode()
            with suppress(OSError):
                socket.send_fds(self._control, [request], descriptors)

    def last_words(self) -> str:
        """What a dead zygote wrote last, else how it ended."""
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            status = self._process.wait(SILENT_SECONDS)
            self._log.seek(max(0, self._log.seek(0, os.SEEK_END) - 2000))
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            ending = f"exit status {status}" if status >= 0 else signal.strsignal(-status)
            return one_line((lines or [""])[-1]).rstrip(".") or ending
        return "it gives no answer"

    def close(self, patience: float = SILENT_SECONDS) -> None:
        """End the zygote and all its children, by force after `patience` seconds.

        A later `fork` starts it again.
        """
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
                    isolation.command(self.level, PROGRAM, self.level, theirs.fileno()),
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
                # The group: bubblewrap, its first process inside, and the zygote.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


# The zygote of all submissions, for as long as none of them has ended it.
SHARED = ZygoteClient()
