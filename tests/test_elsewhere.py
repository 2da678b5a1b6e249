"""The students' side where Linux is not: on Windows and macOS, as far as Linux can imitate them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What the libraries below need of Linux is loaded before; from then on it is not there.
IMITATION = """
import os, runpy, signal, sys, warnings
import filelock, matplotlib.pyplot, nbformat, safetensors.torch, torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
for name in ("fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty", "pty"):
    sys.modules[name] = None
for name in ("fork", "getuid", "geteuid", "getgid", "killpg", "setsid", "chown", "mkfifo", "nice",
             "uname", "statvfs", "sched_getaffinity", "O_NOFOLLOW", "O_DIRECTORY", "O_NONBLOCK",
             "O_CLOEXEC"):
    vars(os).pop(name, None)
for name in ("SIGKILL", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGCHLD", "setitimer", "alarm",
             "pthread_sigmask"):
    vars(signal).pop(name, None)
# Windows has another encoding than UTF-8: whoever opens a text has to name it.
warnings.filterwarnings("error", category=EncodingWarning, module="keyhole")
"""
EVERY_MODULE = """
import importlib, pkgutil, keyhole
for module in pkgutil.walk_packages(keyhole.__path__, "keyhole."):
    if module.name != "keyhole.__main__":
        importlib.import_module(module.name)
"""
CHECK = """
sys.argv = ["keyhole", "check", "1_measure.ipynb"]
runpy.run_module("keyhole", run_name="__main__")
"""


def imitated(program, folder):
    """The finished run of a program on a machine without what is Linux's own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    return subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", "-c", IMITATION + program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_every_module_imports(tmp_path):
    done = imitated(EVERY_MODULE, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_notebook_is_checked(tmp_path):
    shutil.copy(ROOT / "solutions" / "model_editing" / "1_measure.ipynb", tmp_path)
    done = imitated(CHECK, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "All 4 functions pass their public checks." in done.stdout
