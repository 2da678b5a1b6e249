"""Whatever dies while a class is graded: the report is that of an undisturbed run, at last.

Real processes, killed for real: the command itself, a grader process, a zygote. The hidden tests
are the quick ones of standins.py; students' functions take their time.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.standins import TRIPLE
from tests.test_grade import hand_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only"),
]
NAMES = [f"s{number}" for number in range(8)]
SLOW = "import time\n\n\ndef double(x):\n    time.sleep(0.3)\n    return {} * x"
PROGRAM = Path(__file__).with_name("small_grader.py")
START_SECONDS = 120  # for everything that is waited for: the machine may be busy


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    for number, name in enumerate(NAMES):
        hand_in(folder / name / "model_editing", SLOW.format(2 + number % 2), TRIPLE)
    return folder


def command(submitted, report, *options):
    grade = [sys.executable, str(PROGRAM), "grade", str(submitted), "--no-feedback"]
    return [*grade, "--i-accept-no-isolation", "--json", str(report), *options]


def environment(**more):
    return os.environ | {"KEYHOLE_SECRET_FILE": str(PROGRAM.with_name("secret.key"))} | more


def run(submitted, report, *options):
    return subprocess.run(
        command(submitted, report, *options), env=environment(), capture_output=True, text=True
    )


@contextmanager
def running(submitted, report, *options, **more):
    """The command at work, after its first result is kept."""
    process = subprocess.Popen(
        command(submitted, report, *options),
        env=environment(**more),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: kept(report) or process.poll() is not None)
        assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def kept(report):
    return list(report.with_name(f"{report.stem}.kept").glob("[!.]*.json"))


def wait_for(holds):
    until = time.monotonic() + START_SECONDS
    while not holds():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.02)


def entries(report):
    """The report, without what may differ."""
    return [
        {key: value for key, value in entry.items() if key != "seconds"}
        for entry in json.loads(report.read_text(encoding="utf-8"))
    ]


@pytest.fixture(scope="module")
def undisturbed(submitted, tmp_path_factory):
    report = tmp_path_factory.mktemp("undisturbed") / "r.json"
    done = run(submitted, report, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert [entry["student"] for entry in entries(report)] == NAMES
    assert {entry["score"] for entry in entries(report)} == {6, 4}
    return entries(report)


def waited_for_a_core(process):
    """The seconds in which the process could have run, but others had the cores."""
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[1]) / 1e9


def graders(process):
    """The grader processes of the command: copies of the one that Python's forkserver runs in."""
    found = [
        copy
        for child in psutil.Process(process.pid).children()
        if "forkserver" in " ".join(child.cmdline())
        for copy in child.children()
    ]
    assert found
    return found


def gone(processes):
    return all(not each.is_running() or each.status() == "zombie" for each in processes)


@pytest.mark.parametrize("end", ["killed", "ctrl-c"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_batch_that_ends_in_the_middle_goes_on(submitted, undisturbed, tmp_path, jobs, end):
    report = tmp_path / "r.json"
    with running(submitted, report, "--jobs", jobs) as process:
        family = psutil.Process(process.pid).children(recursive=True)
        start = time.monotonic()
        if end == "killed":
            process.kill()
            process.wait()
        else:
            idle = waited_for_a_core(process)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it
            wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
            passed = time.monotonic() - start
            assert passed - (waited_for_a_core(process) - idle) < 3
            said = process.communicate()[1]
            assert process.returncode == 130 and "goes on from here" in said
            assert "Traceback" not in said and len(entries(report)) == len(kept(report))
        wait_for(lambda: gone(family))
    before = len(kept(report))
    assert 0 < before < len(NAMES)
    done = run(submitted, report, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert f"{before} of {len(NAMES)} taken over" in done.stdout
    assert entries(report) == undisturbed


@pytest.mark.parametrize("victim", ["grader", "zygote"])
def test_a_process_that_dies_costs_only_time(submitted, undisturbed, tmp_path, victim):
    report = tmp_path / "r.json"
    sandbox = {"SANDBOX": "real"} if victim == "zygote" else {}
    with running(submitted, report, "--jobs", "2", **sandbox) as process:
        killed = graders(process)[0]
        if victim == "zygote":
            mine = killed.children(recursive=True)
            killed = next(each for each in mine if "zygote.py" in " ".join(each.cmdline()))
        killed.kill()
        said = process.communicate(timeout=START_SECONDS)[1]
        assert process.returncode == 0 and "Traceback" not in said
    assert entries(report) == undisturbed
