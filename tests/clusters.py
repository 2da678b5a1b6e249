"""A scheduler and its workers over TLS on this machine, started as docs/cluster.md says."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import psutil
from distributed import Client
from distributed.security import Security

START_SECONDS = 120  # for everything that is waited for: the machine may be busy


def wait_for(holds):
    until = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.02)


def authority(folder):
    """Authority, certificate and key in a folder, made as docs/cluster.md says."""
    for line in (
        "req -x509 -newkey rsa:3072 -noenc -days 90 -subj /CN=a -keyout ca.key -out ca.pem",
        "req -newkey rsa:3072 -noenc -subj /CN=grader -keyout key.pem -out request.pem",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -out cert.pem",
    ):
        subprocess.run(["openssl", *line.split()], cwd=folder, check=True, capture_output=True)
    return folder


def files_of(tls):
    """The three files, as dask is told of them."""
    names = {"--tls-ca-file": "ca.pem", "--tls-cert": "cert.pem", "--tls-key": "key.pem"}
    return [part for option, name in names.items() for part in (option, tls / name)]


def given(tls):
    """The same files, as `autograder grade` is told of them."""
    names = ("ca", "cert", "key")
    return [part for name in names for part in (f"--tls-{name}", str(tls / f"{name}.pem"))]


@contextmanager
def started(*arguments, **more):
    process = subprocess.Popen(
        [sys.executable, "-m", "dask", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | more,
    )
    try:
        yield process
    finally:
        family = [psutil.Process(process.pid)] if process.poll() is None else []
        for each in (*(child for one in family for child in one.children(True)), process):
            each.kill()
        process.wait()


@contextmanager
def scheduler(tls, folder, **more):
    """(its address, its process)"""
    file = folder / "scheduler.json"
    where = ["--host", "127.0.0.1", "--port", "0", "--protocol", "tls", "--no-dashboard"]
    file.unlink(missing_ok=True)
    where += ["--scheduler-file", file]
    with started("scheduler", *where, *files_of(tls), **more) as process:
        wait_for(lambda: file.exists() and file.read_text().strip().endswith("}"))
        yield json.loads(file.read_text())["address"], process


@contextmanager
def worker(tls, address, folder, *options, **more):
    folder.mkdir(exist_ok=True)
    one = ["--nworkers", "1", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"]
    where = ["--local-directory", folder]
    more = {"TMPDIR": str(folder), "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"} | more
    with started("worker", address, *files_of(tls), *one, *where, *options, **more) as process:
        yield process


@contextmanager
def client_of(tls, address):
    names = ("tls_ca_file", "tls_client_cert", "tls_client_key")
    files = dict(zip(names, map(str, (tls / "ca.pem", tls / "cert.pem", tls / "key.pem"))))
    with Client(address, security=Security(require_encryption=True, **files)) as client:
        yield client
