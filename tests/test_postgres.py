"""A gradebook for many hands: nbgrader's db_url names a PostgreSQL server.

The test starts a real one, on a socket of its own, and stops it again.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import create_engine, text

from autograder import cli
from autograder.gradebook.config import config_of
from autograder.gradebook.records import GradebookFailed, Records, registering
from autograder.sandbox import isolation
from tests.clusters import wait_for
from tests.standins import DOUBLE, TRIPLE
from tests.test_nbgrader import column, course, hand_in, nbgrader, prepared  # noqa: F401 (fixtures)

# As Debian installs them.
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAMS, reason="no PostgreSQL is installed (Debian: postgresql)"),
]


@pytest.fixture(scope="module")
def server():
    """The address of a database."""
    # A socket's path must be short, and a server does not run as root.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = {"user": "postgres"} if os.getuid() == 0 else {}
    if user:
        shutil.chown(folder, "postgres")
    data, programs = folder / "data", PROGRAMS[-1].parent
    options = ["-A", "trust", "-U", "course", "--no-sync"]
    subprocess.run([PROGRAMS[-1], "-D", data, *options], check=True, capture_output=True, **user)
    run = [programs / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(run, stdout=log, stderr=log, **user)
    try:
        ready = [programs / "pg_isready", "-q", "-h", folder, "-U", "course"]
        while process.poll() is None and subprocess.run(ready).returncode:
            time.sleep(0.1)
        assert process.poll() is None, (folder / "log").read_text()
        yield f"postgresql:///postgres?user=course&host={folder}"
    finally:
        process.send_signal(signal.SIGINT)  # at once, whoever is connected
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def with_server(course, server) -> None:  # noqa: F811
    config = course / "nbgrader_config.py"
    line = f"c.CourseDirectory.db_url = {server!r}"
    text, count = re.subn(r"c\.CourseDirectory\.db_url = .*", lambda _: line, config.read_text())
    assert count == 1
    config.write_text(f"{text}\nc.CourseDirectory.course_id = 'rome'\n")


NAMES = [f"s{number}" for number in range(8)]
GRADE = ["grade", "grading/submitted", "--json", "r.json", "--i-accept-no-isolation"]
# A process of its own, with the stand-ins' hidden tests.
RECORDS = (
    "from autograder import cli, hidden; from tests.standins import TESTS;"
    " hidden.NOTEBOOKS = TESTS; raise SystemExit(cli.main())"
)


def recording_half(course, number) -> subprocess.Popen:  # noqa: F811
    """A machine of its own: the course in another folder, and half of the class, graded."""
    folder = course / f"machine{number}"
    shutil.copytree(course / "solutions", folder / "solutions")
    shutil.copy(course / "nbgrader_config.py", folder)
    half, report = folder / "class", str(folder / "r.json")
    for name in NAMES[number::2]:
        shutil.copytree(course / "grading" / "submitted" / name, half / name)
    grade = ["grade", str(half), "--json", report, "--no-feedback", "--i-accept-no-isolation"]
    assert cli.main(grade) == 0
    record = ["record", report, "--submitted", str(half), "--course", str(folder)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.Popen(
        [sys.executable, "-c", RECORDS, *record], env=environment, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def a_class(course, server, monkeypatch):  # noqa: F811
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("E", {}))
    with_server(course, server)
    for name in NAMES:
        hand_in(course, name, double=DOUBLE, triple=TRIPLE, written_why="Because.")
    return course


def test_nbgrader_needs_a_name_of_the_course_on_a_server(a_class, capsys):
    assert cli.main([*GRADE, "--no-feedback", "--course", str(a_class)]) == 0
    config = a_class / "nbgrader_config.py"
    config.write_text(config.read_text().replace("'rome'", "''"))
    command = ["record", "r.json", "--submitted", "grading/submitted", "--course", str(a_class)]
    assert cli.main(command) == 1 and "course_id" in capsys.readouterr().err


def wait_for_waiting(server, count) -> None:
    """Return as soon as so many processes or threads wait for the gradebook."""
    waiting = text(
        "SELECT count(*) FROM pg_locks"
        " WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND NOT granted"
    )
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        wait_for(lambda: connection.scalar(waiting) == count)
    engine.dispose()


def register(server, folder) -> None:
    with registering(server, folder):
        pass


def test_two_processes_record_into_one_server(a_class, server, monkeypatch):
    with registering(server, a_class):
        halves = [recording_half(a_class, number) for number in range(2)]
        wait_for_waiting(server, 2)  # now both begin at once
    said = [half.communicate(timeout=300)[1] for half in halves]
    assert [half.returncode for half in halves] == [0, 0], said
    assert all("Another machine is writing to the gradebook" in each for each in said)
    assert nbgrader("export", "--to", "n.csv") == 0
    assert column(a_class / "n.csv", "score") == dict.fromkeys(NAMES, 6.0)
    config = config_of(a_class)
    api = NbGraderAPI(CourseDirectory(config=config), config=config)
    assert len(api.get_submissions("model_editing")) == len(NAMES)
    # Whoever registers waits for a submission that is being written.
    records = Records(config, server, "rome", "model_editing")
    with ThreadPoolExecutor() as pool, records.put("s0", None, {}, {}):
        another = pool.submit(register, server, a_class)
        wait_for_waiting(server, 1)
    another.result()
    # A submission that waits for too long is tried again later.
    monkeypatch.setattr("autograder.gradebook.records.PATIENCE", 1)
    with registering(server, a_class), pytest.raises(GradebookFailed, match="lock timeout"):
        with records.put("s0", None, {}, {}):
            pass
    records.close()
    # Grades by hand stay on a server, too.
    with Gradebook(server) as book:
        by_hand = book.find_grade("written_why", "3_edit", "model_editing", "s0")
        by_hand.manual_score, by_hand.needs_manual_grade = 3, False
        book.db.commit()
    assert cli.main([*GRADE, "--course", str(a_class), "--again"]) == 0
    assert nbgrader("export", "--to", "n.csv") == 0
    assert column(a_class / "n.csv", "score")["s0"] == 9
