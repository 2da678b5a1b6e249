"""Whatever dies, or takes nothing more, while a class is graded: nothing is lost, at last.

Real processes, killed for real: the command itself, a grader process, a zygote. Then a gradebook
that is locked, and disks that are full. The hidden tests are the quick ones of standins.py;
students' functions take their time.
"""

import json
import os
import resource
import shlex
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
from tests.test_nbgrader import course, prepared  # noqa: F401 (fixtures)
from tests.test_recording import exported, locked

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux only"),
]
NAMES = [f"s{number}" for number in range(8)]
SLOW = "import time\n\n\ndef double(x):\n    time.sleep(0.3)\n    return {} * x"
PROGRAM = Path(__file__).with_name("small_grader.py")
ROOM = 20_000  # bytes: more than the report, less than the gradebook
START_SECONDS = 120  # for everything that is waited for: the machine may be busy


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    for number, name in enumerate(NAMES):
        hand_in(folder / name / "model_editing", SLOW.format(2 + number % 2), TRIPLE)
    return folder


def command(submitted, report, *options):
    if "--course" not in options:
        options = *options, "--no-feedback"
    grade = [sys.executable, str(PROGRAM), "grade", str(submitted), "--i-accept-no-isolation"]
    return [*grade, "--json", str(report), *options]


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
    # The process that they are copies of knew only the quick hidden tests, so it loaded no model.
    assert not any(part.path.endswith(".safetensors") for part in found[0].memory_maps())
    return found


def gone(processes):
    return all(not each.is_running() or each.status() == "zombie" for each in processes)


@pytest.mark.parametrize(("jobs", "end"), [("1", "ctrl-c"), ("2", "killed")])
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


def no_more_room(process, most):
    """From now on the command itself writes no file of more bytes, as on a disk that is full."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, most))


def test_a_disk_that_is_full_at_the_report_costs_only_time(submitted, undisturbed, tmp_path):
    report = tmp_path / "r.json"
    with running(submitted, report, "--jobs", "2") as process:
        (first, *_) = kept(report)
        no_more_room(process, 3 * first.stat().st_size)  # room for results, and none for a report
        said = process.communicate(timeout=START_SECONDS)[1]
        assert process.returncode == 1 and "Traceback" not in said
        assert f"{report} cannot be written" in said.splitlines()[-1], said
    before = len(kept(report))
    # A report that was written before the disk was full stays.
    assert before and (not report.exists() or len(entries(report)) < before)
    done = run(submitted, report, "--jobs", "2")
    assert done.returncode == 0 and f"{before} of {len(NAMES)} taken over" in done.stdout
    assert entries(report) == undisturbed


@pytest.mark.parametrize("fault", ["a full disk", "a lock"])
def test_a_gradebook_that_takes_nothing_more_is_filled_later(
    submitted,
    undisturbed,
    course,  # noqa: F811
    fault,
):
    config, report = course / "nbgrader_config.py", course / "r.json"
    config.write_text(config.read_text().replace("timeout=60", "timeout=0.1"))
    options = "--jobs", "2", "--course", str(course)
    with running(submitted, report, *options) as process:
        if fault == "a lock":
            with locked(course):
                said = process.communicate(timeout=START_SECONDS)[1]
        else:
            no_more_room(process, ROOM)
            said = process.communicate(timeout=START_SECONDS)[1]
    assert process.returncode == 3 and "Traceback" not in said, said
    assert entries(report) == undisturbed
    lost = {name for name in NAMES if f"  {name}: the gradebook does not take it" in said}
    assert lost and not lost & exported(course).keys()  # nothing that could be read as a score
    if fault == "a lock":
        mends = shlex.split(said.strip().splitlines()[-1])
        assert mends[:2] == ["autograder", "record"]
        subprocess.run([sys.executable, str(PROGRAM), *mends[1:]], env=environment(), check=True)
    else:
        assert run(submitted, report, *options).returncode == 0
    assert exported(course) == {entry["student"]: entry["score"] for entry in undisturbed}
    assert entries(report) == undisturbed
