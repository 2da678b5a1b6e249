"""For tests in which permissions have to bind: root, too, becomes an ordinary user for a while."""

import ctypes
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# From linux/capability.h: the version of the call, and the powers to pass by the permissions.
VERSION, PASSING_BY = 0x20080522, 1 << 1 | 1 << 2


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Permissions bind this thread and those that it starts, whoever runs the tests."""
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("permissions do not bind root")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(VERSION, 0)
    powers = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable, and once more
    assert libc.capget(header, powers) == 0
    fewer = (ctypes.c_uint32 * 6)(*powers)
    fewer[0] &= ~PASSING_BY
    assert libc.capset(header, fewer) == 0, os.strerror(ctypes.get_errno())
    try:
        yield
    finally:
        assert libc.capset(header, powers) == 0


def open_up(folder: Path) -> None:
    """Give the owner every permission again, on all that is in a folder; links are left alone."""
    if folder.is_dir():
        folder.chmod(0o755)
        for path in folder.iterdir():
            if not path.is_symlink():
                open_up(path)
    elif stat.S_ISREG(folder.lstat().st_mode):
        folder.chmod(0o644)
