"""The zygote: loads once what every submission needs, then forks a child for each.

It holds no secret and runs nothing of a student's. zygote_client.py starts it as
`zygote.py LEVEL CONTROL`; CONTROL is a descriptor, one end of a Unix socket. The zygote ends when
the other end is closed.

A request on that socket is {"box": a folder, "models": names}. Three descriptors come with it: the
two pipes that the child is to serve, and its lifeline. The lifeline is a socket. The grader closes
its end to have the child killed, and reads from it the exit status once the child and all that it
started are gone. A lifeline that ends without a status says that the zygote itself is gone.
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path

# So that no environment decides which keyhole this is.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

import keyhole
from autograder.sandbox import child, lockdown, wire

# What students' code may come to use. The zygote loads it now, because at level D a child can open
# no file. No student has a say in this list: whatever else a notebook imports, its own process
# imports behind the walls.
LIBRARIES = [
    "numpy",
    "numpy.random",
    "numpy.fft",
    "numpy.polynomial",
    "matplotlib.pyplot",
    "matplotlib.backends.backend_agg",
    "PIL.PngImagePlugin",
    "transformers.pytorch_utils",
    "safetensors.torch",
    "torch.func",
    "tqdm.auto",
    "copy",
    "itertools",
    "statistics",
    *(
        module.name
        for module in pkgutil.walk_packages(keyhole.__path__, "keyhole.")
        if module.name not in ("keyhole.cli", "keyhole.__main__")
    ),
]
REQUEST_BYTES = 64 * 1024
PR_SET_CHILD_SUBREAPER = 36
# Rounds of killing what a child left. What forks faster than that is not chased for ever.
ROUNDS = 100


def warm(level: str) -> None:
    """Load the libraries and use everything once.

    Much is loaded at first use only, and no student should pay for that.
    """
    gc.disable()  # what imports make, they keep: to look for garbage takes a tenth of the start
    torch.set_num_threads(1)
    torch.linalg.solve(torch.eye(2), torch.ones(2, requires_grad=True)).sum().backward()
    for name in LIBRARIES:
        importlib.import_module(name)
    wire.unpack(wire.pack({"a": torch.ones(1)})[wire.LENGTH :])
    for layout in ("llama", "gpt2"):
        sys.modules["keyhole.toy"].toy_model(layout).next_token_probabilities(["Warm"])
    sys.modules["tqdm.auto"].tqdm.monitor_interval = 0  # no thread of its own
    gc.enable()
    lockdown.make_ready(level)


class Nursery:
    """The children that live, each a process id with its lifeline."""

    def __init__(self, control: socket.socket, level: str):
        self.control, self.level, self.lifelines, self.models = control, level, {}, {}
        self.woken, self.wakes = socket.socketpair()  # a byte for each child that ends
        self.wakes.setblocking(False)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def attend(self) -> tuple | None:
        """Fork as asked until the grader hangs up.

        Returns None then, and in every child the arguments of `child.main`.
        """
        while True:
            ready = select.select([self.control, self.woken, *self.lifelines.values()], [], [])[0]
            if self.woken in ready:
                self.woken.recv(4096)
            for pid, lifeline in list(self.lifelines.items()):
                self.look_after(pid, dismissed=lifeline in ready)
            if self.control in ready:
                request, descriptors, *_ = socket.recv_fds(self.control, REQUEST_BYTES, 3)
                if not request:
                    for pid in list(self.lifelines):
                        self.look_after(pid, dismissed=True)
                    return None
                if work := self.fork(*descriptors, **json.loads(request)):
                    return work

    def fork(
        self, requests: int, replies: int, lifeline: int, box: str, models: list[str]
    ) -> tuple | None:
        """Fork a child. Returns None here, and in the child the arguments of `child.main`.

        Raises RuntimeError when this process has a second thread: a lock that it holds would stay
        locked in the child for ever.
        """
        with suppress(Exception):  # the child will meet the same error, and report it
            child.load(models, self.models)
        gc.collect()
        gc.freeze()
        if sys.platform == "linux" and (threads := len(os.listdir("/proc/self/task"))) > 1:
            raise RuntimeError(f"the zygote has {threads} threads")
        lifeline, parent = socket.socket(fileno=lifeline), os.getpid()
        if pid := os.fork():
            self.lifelines[pid] = lifeline
            os.close(requests)
            os.close(replies)
            return None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for own in (self.control, self.woken, self.wakes, lifeline, *self.lifelines.values()):
            own.close()
        return requests, replies, box, parent, self.models, self.level

    def look_after(self, pid: int, dismissed: bool) -> None:
        """If the child has ended, end all that it left, and tell the grader its exit status.

        A child that is `dismissed` is killed first.
        """
        if dismissed:
            kill(os.kill, pid)
            kill(os.killpg, pid)
        ended, status = os.waitpid(pid, 0 if dismissed else os.WNOHANG)
        if ended:
            kill(os.killpg, pid)
            lifeline = self.lifelines.pop(pid)
            end_orphans(self.lifelines)
            with suppress(OSError), lifeline:
                lifeline.send(str(os.waitstatus_to_exitcode(status)).encode())


def end_orphans(but: Container[int]) -> None:
    """Kill every child of this process except those in `but`.

    On Linux this process is a subreaper: it has adopted whatever the children left, in any session
    and under any name. On other systems, what has left the process group lives on.
    """
    for _ in range(ROUNDS):
        processes = os.listdir("/proc") if os.path.isdir("/proc") else []
        numbers = map(int, filter(str.isdigit, processes))
        orphans = [pid for pid in numbers if pid not in but and is_mine(pid)]
        if not orphans:
            return
        for pid in orphans:
            kill(os.kill, pid)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def is_mine(pid: int) -> bool:
    """Is the process a child of this one?"""
    try:
        status = Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False
    return int(status.rpartition(")")[2].split()[1]) == os.getpid()


def kill(how: Callable[[int, int], None], pid: int) -> None:
    """Kill a process, or a group by `os.killpg`; one that is gone already is no error."""
    with suppress(ProcessLookupError, PermissionError):
        how(pid, signal.SIGKILL)


def main(level: str, control: str) -> None:
    """Be the zygote until the grader hangs up."""
    if sys.platform == "linux":
        lockdown.prctl(PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="keyhole-") as home:
        child.live_in(home)
        warm(level)
    os.chdir("/")
    if work := Nursery(socket.socket(fileno=int(control)), level).attend():
        child.main(*work)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
