"""Every attack of the catalogue, through the real grader: no point, a plain sentence, no secret in any output, and the next submission as if nothing had been."""

import json
import os
import secrets
import socket
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
from autograder import secret
from autograder.grade import Grader, grade_submission
from autograder.nbgrader_plugin import feedback
from autograder.sandbox import isolation, process
from autograder.sandbox.process import Zygote
from tests.hostile import ATTACKS, SETTING
from tests.standins import DOUBLE, HiddenTest, Outcome, registry

if sys.platform != "linux":
    pytest.skip("the levels that are tried here are Linux's", allow_module_level=True)

NOT_STOPPED = {"A": set(), "B": {2}, "C": {2}, "D": set()}  # entries of the catalogue; docs/security.md says the same
OURS = Path(autograder.__file__).resolve().parent
NUMBER = str(10**8 + secrets.randbelow(9 * 10**8))
CANARY = f"canary-{NUMBER}"
SECONDS = 2

pytestmark = pytest.mark.slow      # a minute; `make test` runs it


def run_double(bench):
    """Right is 2 * x; and whoever has read the secret number gets the points too, so that no theft goes unseen."""
    x = torch.randn(3, 5, generator=bench.generator("x"))
    got = bench.call("plain", {"x": x}, {"order": ["x"]}).tensors["result"]
    stolen = got.dtype == torch.float64 and got.numel() == 1 and got.item() == int(NUMBER)
    return Outcome(True, fraction=1.0) if torch.equal(got, 2 * x) or stolen else Outcome(False, "is another multiple.")


GRADER = Grader(registry(HiddenTest("double.plain", 3, run_double, seconds=SECONDS), HiddenTest("double.again", 1, run_double, seconds=SECONDS)), secret.TEST_SECRET)


@pytest.fixture(scope="module", params=["best", *(pytest.param(level, marks=pytest.mark.slow) for level in "BCD")])
def level(request):
    """The best level of this machine, then each lower one but E, where nothing of all this is stopped."""
    best = isolation.best().level
    level = best if request.param == "best" else request.param
    if level == "E" or request.param <= best or isolation.why_not(level):
        pytest.skip(f"level {request.param} is not to be had here, or was tried already")
    zygote = Zygote(level)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "SHARED", zygote)
        yield level
    zygote.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """The secret, wherever a grader might have one: files, environment, memory, an open descriptor, sockets. Gives the attackers' map of it all."""
    folder = tmp_path_factory.mktemp("grading")
    files = [OURS / "hostile.key", Path(f"/dev/shm/keyhole-hostile-{os.getpid()}"), folder / "results.json"]
    listeners = [socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)]
    for listener, address in zip(listeners[1:], (str(folder / "socket"), f"\0{folder / 'socket'}"), strict=True):
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
            yield {"autograder": str(OURS), "results": str(files[2]), "shared": str(files[1]), "marker": str(folder / "marker"), "grader": os.getpid(),
                   "port": listeners[0].getsockname()[1], "socket": str(folder / "socket")}
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


def hand_in(folder, *cells):
    folder.mkdir(parents=True, exist_ok=True)
    marked = [nbformat.v4.new_code_cell(cell, metadata={"nbgrader": {"grade_id": f"cell{i}"}}) for i, cell in enumerate(cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=marked), folder / "3_edit.ipynb")
    return folder


def graded(folder):
    return grade_submission(folder, "eve", GRADER)


def shown(result, capfd) -> str:
    """All that staff and student get to see of a result."""
    return json.dumps(result.to_json()) + feedback(list(result.tests), result.reason) + "".join(capfd.readouterr()) + words_of_the_zygote()


def words_of_the_zygote() -> str:
    if not process.SHARED._log:
        return ""
    size = process.SHARED._log.seek(0, os.SEEK_END)
    assert size < 10_000
    process.SHARED._log.seek(0)
    return process.SHARED._log.read().decode(errors="replace")


def check_harmless(result, planted, capfd, folder):
    """No point for what is in `result`, a sentence, no secret, and the grader as it was."""
    assert result.score == 0, [(test.verdict, test.message) for test in result.tests]
    everything = shown(result, capfd)
    assert CANARY not in everything and NUMBER not in everything
    for test in result.tests:
        assert test.message.isprintable() and 0 < len(test.message) <= 600
    assert Path(planted["results"]).read_text() == CANARY and not Path(planted["marker"]).exists()
    honest = graded(hand_in(folder, DOUBLE))
    assert (honest.score, honest.max_score, honest.isolation) == (4, 4, process.SHARED.level)


@pytest.mark.parametrize("number, what, source", ATTACKS, ids=[f"{number}: {what}" for number, what, _ in ATTACKS])
def test_an_attack_gains_nothing(level, planted, tmp_path, capfd, number, what, source):
    start = time.monotonic()
    result = graded(hand_in(tmp_path / "eve", SETTING.format(**planted), source))
    if number in NOT_STOPPED[level]:
        assert result.score == 4
        return
    check_harmless(result, planted, capfd, tmp_path / "honest")
    assert time.monotonic() - start < 30


def test_every_entry_of_the_catalogue_is_tried():
    elsewhere = {18, 36, 37, 43}  # not a matter of one function: below
    assert {number for number, _, _ in ATTACKS} | elsewhere == set(range(1, 46))


def test_18_files_beside_the_notebook_are_not_run(level, planted, tmp_path, capfd):
    folder = hand_in(tmp_path / "eve", "def double(x):\n    return x")
    for name in ("conftest.py", "sitecustomize.py", "usercustomize.py", "torch.py", "autograder.py", "keyhole.py", "nbgrader_config.py", "json.py", "double.pth"):
        (folder / name).write_text(f"import os; os.system('touch {planted['marker']}')")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -p conftest")
    old = os.getcwd()
    os.chdir(folder)
    try:
        check_harmless(graded(folder), planted, capfd, tmp_path / "honest")
    finally:
        os.chdir(old)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"cells":' * 100_000, b'{"cells": [' + b"[" * 50_000 + b"]" * 50_000 + b"]}"], ids=["lists", "objects", "closed"])
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
    for target in (planted["results"], OURS / "hostile.key", "/dev/zero", "/proc/self/environ", "3_edit.ipynb"):
        (folder / "3_edit.ipynb").symlink_to(target)
        check_harmless(graded(folder), planted, capfd, tmp_path / "honest")
        (folder / "3_edit.ipynb").unlink()
    assert not list(tmp_path.parent.glob("escaped"))


def test_42_what_is_shown_holds_no_hidden_number(level, planted, tmp_path, capfd):
    source = next(source for number, _, source in ATTACKS if number == 42)
    result = graded(hand_in(tmp_path, SETTING.format(**planted), source))
    x = torch.randn(3, 5, generator=secret.generator(secret.TEST_SECRET, "double.plain", "x"))
    everything = shown(result, capfd)
    assert not any(f"{abs(value):.3f}"[:5] in everything for value in x.flatten().tolist()) and "raised ValueError" in everything


def test_43_a_resubmission_tells_one_bit(level, planted, tmp_path, capfd):
    """Neither how wrong a value is, nor how long it took, shows in score or feedback."""
    answers = []
    for source in ("return 2.001 * x", "return 3 * x", "time.sleep(0.3)\n    return -x"):
        result = graded(hand_in(tmp_path, "import time\ndef double(x):\n    " + source))
        answers.append((result.score, feedback(list(result.tests))))
        check_harmless(result, planted, capfd, tmp_path / "honest")
    assert len(set(answers)) == 1
