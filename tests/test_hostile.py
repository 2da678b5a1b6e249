"""Every attack of the catalogue, through the real grader.

An attack gets no point and a plain sentence, no output holds a secret, and the next submission is
graded as if nothing had happened. At level E, where much is not stopped, the tests confirm that the
same attacks succeed.
"""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
import torch

import autograder
from autograder import cli, hidden, secret
from autograder.grade import Grader, grade_submission
from autograder.gradebook.page import table_of
from autograder.messages import failure
from autograder.sandbox import Limits, Sandbox, isolation, zygote_client
from autograder.sandbox.zygote_client import ZygoteClient
from keyhole.checking import looks
from keyhole.checking.judging import Verdict
from tests.hostile import ATTACKS, PLANTED, SETTING
from tests.standins import DOUBLE, HiddenTest, registry, said
from tests.test_nbgrader import prepared  # noqa: F401 (a fixture)

if sys.platform != "linux":
    pytest.skip("the levels that are tried here are Linux's", allow_module_level=True)

NO_WALL = {
    6,
    7,
    15,
    16,
    17,
    *range(20, 28),
    33,
    35,
    42,
    44,
    45,
}  # entries that no wall has a part in: tried at the best level and at E
ATTEMPTS = [
    (level, *attack)
    for level in ("best", *"BCDE")
    for attack in ATTACKS
    if level in ("best", "E") or attack[0] not in NO_WALL
]
SURE = (
    os.getuid() == 0 and os.uname().machine == "x86_64"
)  # else level E may let less through, for want of rights
OURS = Path(autograder.__file__).resolve().parent
NUMBER = str(10**8 + secrets.randbelow(9 * 10**8))
CANARY = f"canary-{NUMBER}"
SECONDS = 2

pytestmark = pytest.mark.slow  # a minute; `make test` runs it


def run_double(trial):
    """Right is 2 * x, which leaves x as it was.

    A submission that returns the secret number gets the points too, so that no theft goes unseen.
    """
    x = torch.randn(3, 5, generator=trial.generator("x"))
    got = trial.call("plain", {"x": x}, {"order": ["x"], "after": True}).tensors
    result = got["result"]
    if result.dtype == torch.float64 and result.numel() == 1 and result.item() == int(NUMBER):
        return Verdict(1.0, (said("It was stolen."),))
    expected = looks.Expected(2 * x.double())
    kept = looks.arguments_kept(got, expected, {"x": x})
    return looks.right_result(got, expected) if kept.passed else kept


def grader(seconds):
    return Grader(
        registry(
            HiddenTest("double.plain", 3, run_double, seconds=seconds),
            HiddenTest("double.again", 1, run_double, seconds=seconds),
        ),
        secret.TEST_SECRET,
    )


GRADER, PATIENT = (
    grader(SECONDS),
    grader(60),
)  # the patient one is for attacks that should work, however slow the machine


@pytest.fixture(scope="module")
def zygotes():
    """Level -> its zygote, or why there is none; each found out once."""
    started = {}
    yield started
    for zygote in started.values():
        if isinstance(zygote, ZygoteClient):
            zygote.close()


@pytest.fixture
def level(request, zygotes, monkeypatch):
    """The best level of this machine, or a lower one that the test is parametrized with."""
    best, wanted = isolation.best().level, getattr(request, "param", "best")
    level = best if wanted == "best" else wanted
    if wanted <= best:
        pytest.skip(f"level {wanted} was tried already, or is not to be had here")
    if level not in zygotes:
        zygotes[level] = isolation.why_not(level) or ZygoteClient(level)
    if isinstance(zygotes[level], str):
        pytest.skip(zygotes[level])
    monkeypatch.setattr(zygote_client, "SHARED", zygotes[level])
    return level


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The secret, wherever a grader might have one, and the attackers' map of it all.

    It is in files, environment, memory, an open descriptor and sockets.
    """
    folder = tmp_path_factory.mktemp("grading")
    files = [
        OURS / "hostile.key",
        Path(f"/dev/shm/keyhole-hostile-{os.getpid()}"),
        folder / "results.json",
    ]
    listeners = [
        socket.create_server(("127.0.0.1", 0)),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX),
    ]
    for listener, address in zip(
        listeners[1:], (str(folder / "socket"), f"\0{folder / 'socket'}"), strict=True
    ):
        listener.bind(address)
        listener.listen()
    for listener in listeners:
        threading.Thread(target=tell, args=(listener,), daemon=True).start()
    try:
        for file in files:
            file.write_text(CANARY)
        with pytest.MonkeyPatch.context() as patch, open(files[0]) as inheritable:
            patch.setenv("KEYHOLE_CANARY", CANARY)
            os.set_inheritable(inheritable.fileno(), True)
            yield {
                "autograder": str(OURS),
                "results": str(files[2]),
                "shared": str(files[1]),
                "marker": str(folder / "marker"),
                "grader": os.getpid(),
                "port": listeners[0].getsockname()[1],
                "socket": str(folder / "socket"),
                "each": False,
            }
    finally:
        for listener in listeners:
            listener.close()
        for file in files:
            file.unlink(missing_ok=True)


def tell(listener):
    with suppress(OSError):
        while True:
            with listener.accept()[0] as caller:
                caller.sendall(CANARY.encode())


@pytest.fixture
def map_of_it_all(planted, level, decoy):
    """What the attackers are told.

    The grader and other processes are targets only where something stops the attack.
    """
    return planted | {"decoy": decoy.pid, "reckless": level != "E"}


@pytest.fixture(scope="module")
def decoys(planted):
    """Makes a process that holds the secret as a grader might.

    It is in its environment, its arguments, its memory, a descriptor and its working folder.
    """
    alive = []

    def one():
        while not alive or alive[0].poll() is not None:
            with open(OURS / "hostile.key") as file:
                program = (
                    "import sys, time; held = bytearray(sys.argv[1].encode()) * 1000;"
                    " print(flush=True); time.sleep(1000)"
                )
                alive[:] = [
                    subprocess.Popen(
                        [sys.executable, "-S", "-E", "-c", program, CANARY],
                        cwd=OURS.parent,
                        env={"SECRET": CANARY},
                        stdout=subprocess.PIPE,
                        pass_fds=[file.fileno()],
                        start_new_session=True,
                    )
                ]
                alive[0].stdout.readline()
        return alive[0]

    yield one
    for process in alive:
        process.kill()
        process.wait()


@pytest.fixture
def decoy(decoys):
    return decoys()


def hand_in(folder, *cells, name="3_edit"):
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"cell{i}" for i in range(len(cells) - 1)] + ["double", "test_double"]
    marked = [
        nbformat.v4.new_code_cell(cell, metadata={"nbgrader": {"grade_id": name}})
        for cell, name in zip([*cells, ""], ids, strict=True)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=marked), folder / f"{name}.ipynb")
    return folder


def graded(folder, by=GRADER):
    return grade_submission(folder, "eve", by)


def shown(result, capfd) -> str:
    """All that staff and student get to see of a result."""
    return (
        json.dumps(result.to_json())
        + table_of(list(result.tests), result.reason)
        + "".join(capfd.readouterr())
        + words_of_the_zygote()
    )


def words_of_the_zygote() -> str:
    if not zygote_client.SHARED._log:
        return ""
    size = zygote_client.SHARED._log.seek(0, os.SEEK_END)
    assert size < 10_000
    zygote_client.SHARED._log.seek(0)
    return zygote_client.SHARED._log.read().decode(errors="replace")


def check_harmless(result, planted, capfd, folder):
    """No point for what is in `result`, a sentence, no secret, and the grader as it was."""
    assert result.score == 0, [(test.verdict, test.message) for test in result.tests]
    everything = shown(result, capfd)
    assert CANARY not in everything and NUMBER not in everything
    for test in result.tests:
        assert test.message.isprintable() and 0 < len(test.message) <= 600
        assert not test.our_fault
    assert Path(planted["results"]).read_text() == CANARY and not Path(planted["marker"]).exists()
    honest = graded(hand_in(folder, DOUBLE))
    assert (honest.score, honest.max_score, honest.isolation) == (4, 4, zygote_client.SHARED.level)


@pytest.mark.parametrize(
    "level, number, what, source",
    ATTEMPTS,
    ids=[f"{level}: {number}: {what}" for level, number, what, _ in ATTEMPTS],
    indirect=["level"],
)
def test_an_attack_gains_nothing_but_where_it_is_said(
    level, planted, map_of_it_all, decoy, tmp_path, capfd, number, what, source
):
    start = time.monotonic()
    works = number in isolation.LEVELS[level].lets_through(root=os.getuid() == 0)
    result = graded(
        hand_in(tmp_path / "eve", SETTING.format(**map_of_it_all), source),
        PATIENT if works else GRADER,
    )
    if works:
        Path(planted["results"]).write_text(CANARY)
        assert result.score == 4 or not SURE and number in (5, 39, 40), [
            (test.verdict, test.message) for test in result.tests
        ]
        return
    check_harmless(result, planted, capfd, tmp_path / "honest")
    assert result.reason is None or number == 35, result.reason  # of a cell that does not parse
    assert decoy.poll() is None and time.monotonic() - start < 30


# How many ways of an attack may fail although nothing stops it: they need a rarer kernel, or rights
# that a container lacks.
RARE = {3: 1, 5: 4, 8: 1, 9: 2, 11: 2, 31: 1, 39: 5, 40: 4}


@pytest.mark.skipif(
    not SURE, reason="some ways need root, and the numbers of system calls are those of x86_64"
)
@pytest.mark.parametrize(
    "number, source",
    [
        (number, source)
        for number, _, source in ATTACKS
        if "return ways(" in source or number in PLANTED
    ],
)
@pytest.mark.parametrize("level", ["E"], indirect=True)
def test_every_way_of_an_attack_works_where_nothing_stops_it(
    level, planted, map_of_it_all, number, source
):
    given = SETTING.format(**map_of_it_all | {"each": True}) + PLANTED.get(number, "").format(
        canary=CANARY
    )
    with Sandbox(given + source) as sandbox:
        works = sandbox.call(
            "double", tensors={"x": torch.ones(3, 5)}, options={"order": ["x"]}
        ).tensors["result"]
    Path(planted["results"]).write_text(CANARY)
    assert len(works) - works.sum() <= RARE.get(number, 0), works


def test_every_entry_of_the_catalogue_is_tried():
    elsewhere = {18, 36, 37, 43}  # not a matter of one function: below
    assert {number for number, _, _ in ATTACKS} | elsewhere == set(range(1, 46))


@pytest.mark.parametrize("level", ["E"], indirect=True)  # where nothing hides the folder
def test_18_files_beside_the_notebook_are_not_run(level, planted, tmp_path, capfd, monkeypatch):
    folder = hand_in(tmp_path / "eve", "def double(x):\n    return x")
    for name in (
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "torch.py",
        "autograder.py",
        "keyhole.py",
        "nbgrader_config.py",
        "json.py",
        "double.pth",
    ):
        (folder / name).write_text(f"import os; os.system('touch {planted['marker']}')")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p conftest")
    zygote_client.SHARED.close()  # so that the zygote starts there
    monkeypatch.chdir(folder)
    check_harmless(graded(folder), planted, capfd, tmp_path / "honest")
    command = Path(sys.executable).with_name("autograder")
    said = subprocess.run([command, "grade", "--help"], capture_output=True, text=True)
    assert "SUBMITTED_DIR" in said.stdout, said.stderr
    assert not Path(planted["marker"]).exists()


def test_27_what_sleeps_anew_in_every_process_comes_to_an_end(level, tmp_path):
    tests = registry(
        *(
            HiddenTest(f"{name}.{case}", 1, run_double)
            for name in ("double", "triple")
            for case in "ab"
        )
    )["3_edit"]
    grader = Grader(
        {"2_locate": tests, "3_edit": tests},
        secret.TEST_SECRET,
        limits=Limits(submission_seconds=1),
    )
    sleeper = (
        "import os, time\nclass C:\n    time.sleep(0.3)\ndef double(x):\n    time.sleep(0.3)\n   "
        " os._exit(0)\ndef triple(x): return double(x)"
    )
    hand_in(tmp_path, sleeper, name="2_locate")
    result = grade_submission(hand_in(tmp_path, sleeper), "eve", grader)
    assert len(result.tests) == 8 and result.score == 0
    # Each call sleeps for more than half of what all may use together. So the third finds nothing
    # left, in whichever notebook it is.
    said = [test.message for test in result.tests if test.verdict == "timeout"]
    assert (
        len(said) >= 6
        and all(str(failure("submission", "1")) in text or "Not run" in text for text in said)
        and str(failure("submission", "1")) in said[0]
    ), said


# A class for which files are made. Each student has a `double` and a `triple`: the number of an
# attack, or a source whose words the test looks for.
CLASS = {
    "bo": ("def double(x): raise ValueError('a word of bo')", 44),
    "eve": (1, 42),
    "mal": (4, 8),
}


def test_no_file_that_a_grading_makes_holds_the_secret(
    level,
    planted,
    map_of_it_all,
    prepared,  # noqa: F811
    tmp_path,
    monkeypatch,
    capfd,
):
    course = shutil.copytree(prepared, tmp_path / "course")
    double, triple = (
        HiddenTest(f"{name}.plain", points, run_double, seconds=SECONDS)
        for name, points in {"double": 4, "triple": 2}.items()
    )
    monkeypatch.setattr(hidden, "NOTEBOOKS", registry(double, triple))
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(tmp_path / "secret.key"))
    hand_in_class(course, map_of_it_all)
    submitted, report = course / "grading" / "submitted", [course / "r.json", course / "r.csv"]
    reports = ["--json", str(report[0]), "--csv", str(report[1])]
    where = ["--course", str(course), "--jobs", "1"]
    assert cli.main(["grade", str(submitted), *reports, *where]) == 0
    assert [entry["score"] for entry in json.loads(report[0].read_text())] == [0] * len(CLASS)
    files = {path: path.read_bytes() for path in course.rglob("*") if path.is_file()}
    shown = "".join(capfd.readouterr()).encode()
    for secret_text in (CANARY.encode(), NUMBER.encode()):
        assert secret_text not in shown
        assert not [path for path, content in files.items() if secret_text in content]
    with_bo = {path.suffix for path, content in files.items() if b"a word of bo" in content}
    assert with_bo >= {".json", ".html", ".ipynb"}
    pages = [content for path, content in files.items() if path.suffix == ".html"]
    assert pages and not any(b"<script>alert(1)" in content for content in pages)


def hand_in_class(course, map_of_it_all):
    sources = {number: source for number, _, source in reversed(ATTACKS)}
    for name, (double, triple) in CLASS.items():
        notebook = nbformat.read(
            course / "assignments" / "model_editing" / "3_edit.ipynb", as_version=4
        )
        del notebook.cells[:2]  # for Colab
        notebook.cells[1].source = SETTING.format(**map_of_it_all)
        notebook.cells[2].source, notebook.cells[4].source = (
            sources.get(double, double),
            sources[triple].replace("def double", "def triple"),
        )
        folder = course / "grading" / "submitted" / name / "model_editing"
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "3_edit.ipynb")


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'{"cells":' * 100_000,
        b'{"cells": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}",
    ],
    ids=["lists", "objects", "closed"],
)
def test_36_a_deeply_nested_notebook(level, planted, tmp_path, capfd, content):
    folder = hand_in(tmp_path / "eve", DOUBLE)
    (folder / "3_edit.ipynb").write_bytes(content)
    result = graded(folder)
    assert result.status == "failed" and result.reason
    check_harmless(result, planted, capfd, tmp_path / "honest")


def test_37_archives_and_links_are_not_followed(level, planted, tmp_path, capfd):
    folder = tmp_path / "eve"
    folder.mkdir()
    with zipfile.ZipFile(folder / "3_edit.ipynb", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("../../escaped", bytes(10**8))
    check_harmless(graded(folder), planted, capfd, tmp_path / "honest")
    (folder / "3_edit.ipynb").unlink()
    for target in (
        planted["results"],
        OURS / "hostile.key",
        "/dev/zero",
        "/proc/self/environ",
        "3_edit.ipynb",
    ):
        (folder / "3_edit.ipynb").symlink_to(target)
        check_harmless(graded(folder), planted, capfd, tmp_path / "honest")
        (folder / "3_edit.ipynb").unlink()
    assert not list(tmp_path.parent.glob("escaped"))


def test_42_what_is_shown_holds_no_hidden_number(level, map_of_it_all, tmp_path, capfd):
    source = next(source for number, _, source in ATTACKS if number == 42)
    result = graded(hand_in(tmp_path, SETTING.format(**map_of_it_all), source))
    x = torch.randn(3, 5, generator=secret.generator(secret.TEST_SECRET, "double.plain", "x"))
    everything = shown(result, capfd)
    assert (
        not any(f"{abs(value):.3f}"[:5] in everything for value in x.flatten().tolist())
        and "raised ValueError" in everything
    )


def test_43_a_resubmission_tells_a_distance_of_three_digits_at_most_and_no_time(
    level, planted, tmp_path, capfd
):
    """A message gives distances away, as docs/security.md says, and nothing else."""
    told = {}
    for source in (
        "return 2.0314159 * x",
        "return 3 * x",
        "time.sleep(0.3)\n    return 3 * x",
        "return 314159.0 * x",
    ):
        result = graded(hand_in(tmp_path, "import time\ndef double(x):\n    " + source))
        told[source] = " ".join(test.message for test in result.tests)
        numbers = [
            "".join(filter(str.isdigit, number)).strip("0")
            for number in re.findall(r"\d[\d.,]*", told[source])
        ]
        assert numbers and all(len(digits) <= 3 for digits in numbers), told[source]
        check_harmless(result, planted, capfd, tmp_path / "honest")
    assert told["return 3 * x"] == told["time.sleep(0.3)\n    return 3 * x"]
