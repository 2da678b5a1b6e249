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


TAKES_APART = {
    *("startswith", "endswith", "removeprefix", "removesuffix", "replace", "split", "partition"),
    *("rpartition", "strip", "rstrip", "lstrip", "find", "index", "count", "splitlines"),
}


def is_said(node, caught):
    """Is this a finished sentence: a verdict's `.message`, or `str(error)` of a KeyholeError that was caught?"""
    if isinstance(node, ast.Attribute):
        return node.attr == "message"
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("str", "repr", "one_line")
        and any(isinstance(part, ast.Name) and part.id in caught for part in node.args)
    )


def taken_apart(tree):
    """Where a finished sentence is compared, searched, cut or replaced: line numbers."""
    for scope in ast.walk(tree):
        if not isinstance(scope, (ast.FunctionDef, ast.Module)):
            continue
        caught = {
            part.name
            for part in ast.walk(scope)
            if isinstance(part, ast.ExceptHandler)
            and part.name
            and part.type is not None
            and re.search("KeyholeError|StudentFailed|NotStarted|Absent", ast.unparse(part.type))
        }
        for node in ast.walk(scope):
            parts = []
            if isinstance(node, ast.Compare):
                parts = [node.left, *node.comparators]
            elif isinstance(node, ast.Subscript):
                parts = [node.value]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr in TAKES_APART:
                    parts = [node.func.value]
                elif ast.unparse(node.func.value) == "re":
                    parts = node.args
            if any(is_said(part, caught) for part in parts):
                yield node.lineno


@pytest.mark.parametrize("room", ["keyhole", "autograder"])
def test_no_code_reads_a_finished_sentence(room):
    """What code has to know of a verdict or an error it reads from a code; sentences are only shown."""
    assert not [
        (path.name, line)
        for path in (ROOT / room).rglob("*.py")
        for line in taken_apart(ast.parse(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize(
    "code",
    [
        "verdict.message == 'x'",
        "'x' in verdict.message",
        "verdict.message.removesuffix('x')",
        "verdict.message[:3]",
        "re.search('x', verdict.message)",
        "def f():\n    try: g()\n    except KeyholeError as error: return str(error).startswith('x')",
    ],
)
def test_code_that_reads_a_finished_sentence_is_found(code):
    assert list(taken_apart(ast.parse(code)))


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
