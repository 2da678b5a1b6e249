"""How a process shuts itself in, for good.

After `lock_in` at levels A to D the process can compute, read the libraries and the model (at D it
can open no file at all), and answer through the pipes that are open already. It can write no file,
start nothing and reach nobody.

Run as a program, this module proves on this machine that the walls of a level stand.
"""

import ctypes
import functools
import os
import signal
import socket
import sys
import sysconfig
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for Linux only, where the functions below import them
    from landlockpy import Ruleset
    from seccompy import Filter

PR_SET_PDEATHSIG, PR_SET_DUMPABLE = 1, 4
CAPABILITY_VERSION = 0x20080522
# User numbers kept free for users that live for one process, as for systemd's DynamicUser.
FIRST_USER, USERS = 61184, 4096
# Flags of `open` that only a writer needs.
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
WRITING |= getattr(os, "O_TMPFILE", 0) & ~getattr(os, "O_DIRECTORY", 0)

# System calls that are allowed with any arguments. Every call that is not listed here fails:
# - what starts processes and threads, opens sockets or signals other processes;
# - what takes memory that no limit counts (memfd, shared memory, pipes);
# - what would make a file's name;
# - what only the owner of a system needs.
COMPUTING = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek
    close close_range dup dup2 dup3 fstat
    mmap mprotect munmap mremap madvise brk
    futex futex_wait futex_wake futex_waitv set_robust_list rseq
    sched_yield sched_getaffinity sched_getparam sched_getscheduler getcpu
    getrlimit getrusage times uname sysinfo getrandom
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time
    poll ppoll select pselect6
    getpid getppid gettid getpgrp getpgid getsid getpriority
    getuid geteuid getgid getegid getresuid getresgid getgroups
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend
    sigaltstack pause alarm getitimer setitimer
    restart_syscall exit exit_group
""".split()
READING = """
    stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents64 getcwd
""".split()
OPENING = {"open": 1, "openat": 2}  # which argument holds the flags
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC. F_SETOWN would send signals to others.
FCNTL = [0, 1, 2, 3, 1030]
# TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
IOCTL = [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451]
SIGNALS = ["kill", "tgkill"]  # to itself only


def readable(cache: str) -> list[str]:
    """The paths that a child may read: the interpreter, its libraries, keyhole, and the model.

    `cache` is the folder of the model. Nothing of the grader's is among them, and no data.
    """
    interpreter = {
        os.path.join(prefix, part)
        for prefix in (sys.prefix, sys.base_prefix)
        for part in ("bin", "lib", "lib64", "pyvenv.cfg")
    }
    here = {
        path
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
    system = ["/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache"]
    keyhole = str(Path(__file__).resolve().parents[2] / "keyhole")
    return [
        path
        for path in sorted({*interpreter, *here, *system, keyhole, cache})
        if os.path.exists(path)
    ]


def lock_in(level: str, parent: int) -> None:
    """Give up, for good, all that a submission does not need, and die with the process `parent`.

    Raises OSError if a wall does not stand.
    """
    if level == "E":
        return
    files = file_rules() if level != "D" else None  # now, while the paths can still be opened
    if level == "B":
        become_nobody()
    prctl(PR_SET_DUMPABLE, 0)
    drop_capabilities()
    tie_to(parent)  # again: a change of user unties a process
    if files:
        with files:
            files.restrict()
    signals_to_itself(os.getpid()).load()
    system_calls(level).load()


def tie_to(parent: int) -> None:
    """Die with the process `parent`."""
    if sys.platform == "linux":
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def prctl(what: int, value: int) -> None:
    """Set an option of this process (prctl(2)). Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(what, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def become_nobody() -> None:
    """Become a user that owns nothing, a different one in each child.

    Raises OSError if this process is not root.
    """
    user = FIRST_USER + os.getpid() % USERS
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def drop_capabilities() -> None:
    """Give up every capability of this process. Raises OSError."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def file_rules() -> "Ruleset":
    """A Landlock ruleset: what is `readable` can be read, nothing else, and nothing written.

    Raises OSError.
    """
    from landlockpy import AccessFS, Ruleset, Scope

    rules = Ruleset(scoped=Scope.ABSTRACT_UNIX_SOCKET | Scope.SIGNAL)
    for path in [*readable(os.environ["KEYHOLE_CACHE"]), "/dev/null", "/dev/urandom"]:
        folder = AccessFS.READ_DIR if os.path.isdir(path) else AccessFS(0)
        rules.allow_path(path, AccessFS.READ_FILE | folder)
    return rules


@functools.cache
def system_calls(level: str) -> "Filter":
    """The seccomp filter that lets a child compute, and at levels A to C read.

    Every other call fails with EPERM.
    """
    from seccompy import Action, CmpOp, Filter

    allowed = Filter(default=Action.ERRNO | 1)
    for name in [*COMPUTING, *SIGNALS, *(READING if level != "D" else [])]:
        with suppress(ValueError):  # a call that this processor's Linux does not have
            allowed.allow(name)
    for command in FCNTL:
        allowed.allow("fcntl", args={1: command})
    for command in IOCTL:
        allowed.allow("ioctl", args={1: command})
    allowed.allow("prlimit64", args={0: 0, 2: 0})  # asking about itself, not setting
    for name, place in OPENING.items() if level != "D" else ():
        with suppress(ValueError):
            allowed.allow(name, args=[(place, CmpOp.MASKED_EQ, 0, WRITING)])
    assert allowed.program  # compiled now, in the zygote
    return allowed


def signals_to_itself(pid: int) -> "Filter":
    """A filter beside the other: it refuses signals to any process but `pid`."""
    from seccompy import Action, Filter

    own = Filter(default=Action.ALLOW)
    for name in SIGNALS:
        own.allow(name, args={0: pid})
        own.errno(name, 1)
    return own


def make_ready(level: str) -> None:
    """Load everything that `lock_in` needs, so that no child pays for it or fails to load it.

    Raises OSError.
    """
    if level == "E":
        return
    import seccompy

    # At its first call this starts other programs, to look for the C library.
    seccompy.supported()
    system_calls(level)
    assert signals_to_itself(1).program
    if level != "D":
        file_rules().close()  # as above


def prove(level: str, secret: str) -> None:
    """Lock this process in and try the walls. `secret` is a file that must not be readable.

    Raises OSError or RuntimeError if a wall does not stand.
    """
    parent, libraries = os.getppid(), sysconfig.get_path("stdlib")
    if level == "A" and os.path.exists(secret):
        raise RuntimeError("the namespaces hide nothing")
    make_ready(level)
    lock_in(level, parent)
    walls = {
        "a file of the grader's can be read": lambda: open(secret),
        "another process can be looked into": lambda: open(f"/proc/{parent}/status"),
        "a process can be started": lambda: os._exit(1) if os.fork() == 0 else None,
        "the network can be reached": socket.socket,
        "signals can be sent": lambda: os.kill(parent, 0),
        "files can be written": lambda: open("/dev/shm/keyhole", "w"),
        "a user can be chosen": lambda: os.setuid(os.getuid()),
        **({"files can be opened": lambda: open(sys.executable)} if level == "D" else {}),
    }
    for hole, attempt in walls.items():
        with suppress(OSError):
            attempt()
            raise RuntimeError(hole)
    if level == "A":
        os.listdir(libraries)  # what is needed later is there, and may be read


if __name__ == "__main__":
    try:
        prove(*sys.argv[1:])
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print("it stands")
