"""The zygote: loads once what every submission needs, then forks a child for each. It holds no secret and runs nothing of a student's.

Started by process.py as `zygote.py LEVEL CONTROL` (a descriptor, one end of a Unix socket); it ends with the other end.
A request there is {"box": a folder, "models": names} with three descriptors: the two pipes that the child is to serve, and
its lifeline. That is a socket whose other end the grader closes to have the child killed, and from which it reads the
exit status once the child and all that it started are gone. An end without a status: the zygote itself is gone.
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
from contextlib import suppress
from pathlib import Path

sys.path.insert(
    0, str(Path(__file__).resolve().parents[2])
)  # so that no environment decides which keyhole this is

import torch

import keyhole
from autograder.sandbox import child, lockdown, wire

# What students' code may come to use, loaded while that is possible: at some levels a child can open no file. No student has a say in it: what else
# a notebook imports, its own process imports behind the walls.
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
        if module.name != "keyhole.cli"
    ),
]
REQUEST_BYTES = 64 * 1024
PR_SET_CHILD_SUBREAPER = 36
ROUNDS = 100  # of killing what a child left: what forks faster than that is not chased for ever


def warm(level: str) -> None:
    """Load the libraries and use everything once, because much is loaded at first use only, and that is not the student's time."""
    torch.set_num_threads(1)
    torch.linalg.solve(torch.eye(2), torch.ones(2, requires_grad=True)).sum().backward()
    for name in LIBRARIES:
        importlib.import_module(name)
    wire.unpack(wire.pack({"a": torch.ones(1)})[wire.LENGTH :])
    for layout in ("llama", "gpt2"):
        sys.modules["keyhole.toy"].toy_model(layout).next_token_probabilities(["Warm"])
    sys.modules["tqdm.auto"].tqdm.monitor_interval = 0  # no thread of its own
    lockdown.warm(level)


class Nursery:
    """The children that live, each a process id with its lifeline."""

    def __init__(self, control: socket.socket, level: str):
        self.control, self.level, self.lifelines, self.models = control, level, {}, {}
        self.woken, self.wakes = socket.socketpair()  # a byte for each child that ends
        self.wakes.setblocking(False)
        signal.set_wakeup_fd(self.wakes.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def attend(self):
        """Fork as asked until the grader hangs up. Returns None then, and in every child the arguments of `child.main`."""
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

    def fork(self, requests: int, replies: int, lifeline: int, box: str, models: list[str]):
        """Returns None, and in the child the arguments of `child.main`. Raises RuntimeError when there is a second thread:
        a lock that it held would stay locked in the child for ever."""
        with suppress(Exception):  # the child will meet it again, and say it
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
        """If the child has ended, or is dismissed and therefore killed: end all that it left, and tell its exit status."""
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


def end_orphans(but) -> None:
    """Kill every child of this process except those in `but`: being their subreaper, it has adopted what the children left,
    in whatever session and under whatever name. (Linux; elsewhere what left the process group lives on.)
    """
    for _ in range(ROUNDS):
        orphans = (
            [
                pid
                for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if pid not in but and is_mine(pid)
            ]
            if os.path.isdir("/proc")
            else []
        )
        if not orphans:
            return
        for pid in orphans:
            kill(os.kill, pid)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def is_mine(pid: int) -> bool:
    """Is the process a child of this one?"""
    try:
        return (
            int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
            == os.getpid()
        )
    except OSError:
        return False


def kill(how, pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        how(pid, signal.SIGKILL)


def main(level: str, control: str) -> None:
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
