"""Dependencies point one way, and what is said once is said once."""

import ast
import re
from pathlib import Path

import pytest

from keyhole.messages.en import CHECKS, FEEDBACK, PROBLEMS, SHOWN

ROOT = Path(__file__).resolve().parent.parent
# room -> rooms that it may not import from
FORBIDDEN = {
    "keyhole": ("autograder", "bench", "tests"),
    "autograder/sandbox": (
        "autograder.oracle",
        "autograder.hidden",
        "autograder.reference",
        "autograder.grade",
        "autograder.validity",
    ),
    "autograder/oracle": (
        "autograder.hidden",
        "autograder.grade",
        "autograder.sandbox",
        "autograder.gradebook.plugin",
        "autograder.cli",
        "autograder.validity",
    ),
    "autograder/hidden": (
        "autograder.grade",
        "autograder.gradebook.plugin",
        "autograder.cli",
        "autograder.validity",
    ),
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_dependencies_point_one_way(room):
    files = list((ROOT / room).rglob("*.py"))
    assert files
    found = [
        (path.name, name)
        for path in files
        for name in imported(path)
        if name.startswith(FORBIDDEN[room])
    ]
    assert not found


def test_the_library_prints_only_in_its_command_line():
    for path in (ROOT / "keyhole").rglob("*.py"):
        if path.name != "cli.py":
            calls = [
                node
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Call)
            ]
            assert not [
                call
                for call in calls
                if isinstance(call.func, ast.Name) and call.func.id == "print"
            ], path


def test_every_sentence_is_used_and_every_used_one_is_there():
    sources = "".join(
        path.read_text(encoding="utf-8")
        for room in ("keyhole", "autograder")
        for path in (ROOT / room).rglob("*.py")
        if path.parent.name != "messages"
    )
    for speaker, table in (("feedback", FEEDBACK), ("problem", PROBLEMS), ("shown", SHOWN)):
        assert set(re.findall(rf"""\b{speaker}\(\s*["'](\w+)["']""", sources)) <= set(table)
        assert not [
            name for name in table if f'"{name}"' not in sources and f"'{name}'" not in sources
        ]
    assert CHECKS
