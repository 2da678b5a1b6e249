"""Several machines, on one: a scheduler and its workers over TLS, in real processes.

The hidden tests are the quick ones of standins.py, and students' code runs in the worker itself, so
that a submission can kill it. See test_kills.py, whose class this is.
"""

import asyncio
import os
import platform
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from autograder import cli, hidden
from autograder.running import grading, workers
from autograder.running.cluster import TALKING, _other_versions, _state
from autograder.running.grading import Terms
from autograder.running.tasks import GradingTask
from autograder.running.version import grader_version
from autograder.running.workers import TellTerms, UnfitWorker
from autograder.sandbox.limits import Limits
from keyhole.errors import KeyholeError
from tests.clusters import START_SECONDS, authority, client_of, given, scheduler, worker
from tests.standins import DOUBLE, TESTS
from tests.test_grade import hand_in
from tests.test_kills import (  # noqa: F401 (fixtures)
    PROGRAM,
    command,
    entries,
    environment,
    run,
    running,
    submitted,
    undisturbed,
)

slow = pytest.mark.slow
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl")
KILLS = "import os\n\n\ndef double(x):\n    os.kill(os.getpid(), 9)"


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("tls"))


def quick(tls, address, folder, *options, **more):
    """A worker with the quick hidden tests."""
    more = {"LEVEL": "A"} | more
    return worker(tls, address, folder, "--preload", PROGRAM, *options, **more)


@pytest.fixture(scope="module")
def two(tls, tmp_path_factory):
    """(the address of a scheduler, the folders of its two workers)"""
    folder = tmp_path_factory.mktemp("cluster")
    places = [folder / "one", folder / "two"]
    deaths = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}  # in place of 3, for speed
    with scheduler(tls, folder, **deaths) as (address, _), quick(tls, address, places[0]):
        with quick(tls, address, places[1]), client_of(tls, address) as client:
            client.wait_for_workers(2, timeout=START_SECONDS)
            yield address, places


def pids(tls, address):
    with client_of(tls, address) as client:
        return list(client.run(os.getpid).values())


@slow
def test_a_class_is_graded_by_workers_of_which_one_dies(
    submitted,  # noqa: F811
    undisturbed,  # noqa: F811
    tls,
    two,
    tmp_path,
):
    (address, places), report = two, tmp_path / "r.json"
    victim = psutil.Process(pids(tls, address)[0])
    # The secret of the whole class is on no worker's disk.
    key = Path(environment()["KEYHOLE_SECRET_FILE"]).read_text().strip()
    with running(submitted, report, "--cluster", address, *given(tls)) as process:
        victim.kill()
        for path in (path for place in places for path in place.rglob("*")):
            content = path.read_bytes() if path.is_file() else b""
            assert key.encode() not in content and bytes.fromhex(key) not in content
        said = process.communicate(timeout=START_SECONDS)[1]
        assert process.returncode == 0 and "Traceback" not in said, said
    assert entries(report) == undisturbed
    with client_of(tls, address) as client:  # it is forgotten when the batch is over
        assert set(client.run(told).values()) == {None}


def told():
    return grading.HERE.batch


@slow
def test_a_submission_that_kills_its_workers_gets_no_result_and_no_zero(tls, two, tmp_path):
    (address, _), report = two, tmp_path / "r.json"
    for name, double in {"ada": DOUBLE, "eve": KILLS}.items():
        hand_in(tmp_path / "in" / name / "model_editing", double)
    done = run(tmp_path / "in", report, "--cluster", address, *given(tls))
    assert done.returncode == 3 and "eve was not graded" in done.stderr, done.stderr
    assert [(entry["student"], entry["score"]) for entry in entries(report)] == [("ada", 4)]


@slow
def test_a_scheduler_that_dies_is_one_sentence_and_the_batch_goes_on_later(
    submitted,  # noqa: F811
    undisturbed,  # noqa: F811
    tls,
    tmp_path,
):
    report = tmp_path / "r.json"
    with scheduler(tls, tmp_path) as (address, process), quick(tls, address, tmp_path / "one"):
        with running(submitted, report, "--cluster", address, *given(tls)) as grading:
            process.kill()
            said = grading.communicate(timeout=START_SECONDS)[1]
            assert grading.returncode == 1 and "Traceback" not in said, said
            assert said.splitlines()[-1].startswith("autograder: the scheduler is gone"), said
            assert len(said.splitlines()) <= 2, said  # one may say that the secret is the test's
    before = len(entries(report))
    assert 0 < before < len(undisturbed)
    done = run(submitted, report, "--jobs", "1")
    assert done.returncode == 0 and f"{before} of {len(undisturbed)} taken over" in done.stdout
    assert entries(report) == undisturbed


@slow
def test_a_batch_without_workers_says_so_and_goes_on_with_a_new_one(
    submitted,  # noqa: F811
    undisturbed,  # noqa: F811
    tls,
    tmp_path,
):
    report = tmp_path / "r.json"
    with scheduler(tls, tmp_path) as (address, _), ExitStack() as first:
        first.enter_context(quick(tls, address, tmp_path / "one"))
        with running(submitted, report, "--cluster", address, *given(tls)) as process:
            first.close()
            # Another line may say first that the secret is the test's.
            lines = iter(process.stderr.readline, "")
            assert any("all workers are gone, and the batch waits" in line for line in lines)
            with quick(tls, address, tmp_path / "two"):
                assert any("there is a worker again" in line for line in lines)
                assert process.wait(START_SECONDS) == 0
    assert entries(report) == undisturbed


@slow
def test_what_would_not_be_safe_is_refused(submitted, tls, tmp_path):  # noqa: F811
    (tmp_path / "other").mkdir()
    other = authority(tmp_path / "other")
    with scheduler(tls, tmp_path) as (address, _), quick(tls, address, tmp_path / "c", LEVEL="C"):
        refused = {}  # a running command -> what it says, and the report that it must not write
        for number, (where, files, why) in enumerate(
            (
                ("tls://127.0.0.1:1", tls, "no scheduler that takes these certificates"),
                (address, other, "no scheduler that takes these certificates"),
                (address, tls, "isolation level B is required"),
            )
        ):
            report = tmp_path / f"{number}.json"
            process = subprocess.Popen(
                command(submitted, report, "--cluster", where, *given(files)),
                env=environment(),
                stderr=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                text=True,
            )
            refused[process] = why, report
        for process, (why, report) in refused.items():
            said = process.communicate(timeout=START_SECONDS)[1]
            assert process.returncode == 1 and not report.exists(), said
            assert why in said.splitlines()[-1] and len(said.splitlines()) <= 2, said


@pytest.fixture
def terms(monkeypatch):
    """What this process is told, as if it were a worker."""
    here = SimpleNamespace(state=SimpleNamespace(nthreads=1), address="tls://10.0.0.1:1")
    monkeypatch.setattr(workers, "get_worker", lambda: here)
    monkeypatch.setattr(hidden, "NOTEBOOKS", TESTS)
    monkeypatch.setattr(grading, "HERE", grading.GraderProcess())
    terms = Terms(b"secret", Limits(), None, "en", "E", True, grader_version())
    TellTerms(terms).setup(here)
    return here, terms


def test_a_worker_of_another_version_or_with_two_threads_is_left_out(terms):
    here, ours = terms
    here.state.nthreads = 2
    with pytest.raises(UnfitWorker, match="start it with --nthreads 1"):
        workers._grade(None, ours.batch)
    assert "--nthreads 1" in asyncio.run(_state(here)).problem
    here.state.nthreads = 1
    assert asyncio.run(_state(here)).problem is None
    TellTerms(replace(ours, version="another")).setup(here)
    with pytest.raises(UnfitWorker, match="another version of Keyhole"):
        workers._grade(None, ours.batch)
    assert "another version" in asyncio.run(_state(here)).problem


def test_a_second_batch_on_the_same_workers_ends_the_first(terms, monkeypatch):
    here, ours = terms
    second = TellTerms(replace(ours, secret=b"another", batch="second"))
    monkeypatch.setattr(grading, "grade_read", lambda *_: second.setup(here))  # in the middle
    with pytest.raises(KeyholeError, match="another batch has begun"):
        workers._grade(GradingTask("ada", "a", 0.0, (), (), None), ours.batch)
    with pytest.raises(KeyholeError, match="another batch has begun"):
        workers._grade(None, ours.batch)
    TellTerms(ours).teardown(here)  # the first ends, and takes nothing from the second
    assert grading.HERE.batch == "second"
    second.teardown(here)
    assert grading.HERE.batch is None


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc keeps what was freed")
def test_the_memory_of_a_submission_goes_back_to_the_system(terms, monkeypatch):
    last, memory = [], psutil.Process().memory_info

    def takes_much(*_):
        blocks = [torch.ones(25_000) for _ in range(2000)]  # 200 MB, too small to be mapped alone
        last.append(blocks[-1])  # so the heap cannot be cut at its end
        blocks.append(blocks)  # Python finds it only when it looks for garbage

    monkeypatch.setattr(grading, "grade_read", takes_much)
    grading.give_back()
    before = memory().rss
    grading.HERE.grade(GradingTask("ada", "a", 0.0, (), (), None))
    assert memory().rss - before < 50e6


@pytest.mark.parametrize("who", ["the scheduler", "tls://10.0.0.1:1"])
def test_versions_are_compared_with_scheduler_and_workers(who):
    ours = {"packages": dict.fromkeys(TALKING, "1.0")}
    found = {"client": ours, "scheduler": ours, "workers": {"tls://10.0.0.1:1": ours}}
    assert _other_versions(found) is None
    theirs = {"packages": ours["packages"] | {"distributed": "2.0"}}
    if who == "the scheduler":
        found["scheduler"] = theirs
    else:
        found["workers"][who] = theirs
    assert _other_versions(found).startswith(f"{who} has distributed 2.0, and this machine has 1.0")


def test_arguments_that_name_no_safe_way_to_a_scheduler_are_refused(tmp_path, capsys):
    hand_in(tmp_path / "in" / "ada" / "model_editing", DOUBLE)
    (tmp_path / "file").touch()
    files = [f"--tls-{name}={tmp_path / 'file'}" for name in ("ca", "cert", "key")]
    for options, why in (
        (["--cluster", "tcp://host:8786", *files], "is not a tls:// address"),
        (["--cluster", "tls://host:8786", *files[:2]], "--cluster needs --tls-key"),
        (["--cluster", "tls://host:8786", *files[:2], "--tls-key=gone"], "there is no file gone"),
        (files[1:2], "--tls-cert is of no use without --cluster"),
    ):
        grade = ["grade", str(tmp_path / "in"), "--json", str(tmp_path / "r.json"), *options]
        assert cli.main(grade) == 2 and why in capsys.readouterr().err
