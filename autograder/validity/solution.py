"""What an entry of the catalogue is, and how its code is put together."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import dedent, indent

from keyhole.models import EditableModel

ALL = frozenset({"all"})  # every hidden test of the function
SLOT = re.compile(r"\$(\w+)")

Code = str | tuple[str, ...]  # of one cell, or of several
FilesOf = Callable[[EditableModel], dict[str, bytes]]  # model -> {file name: content}


@dataclass(frozen=True)
class Solution:
    """One graded function, or the files beside the notebook, as a student might hand it in.

    A wrong solution says in words what was misunderstood. It must lose each case of `fails`
    ("llama" of "subject_key.llama") and no other, and its messages must name `misconception`.
    None means that the results alone don't show what was misunderstood.
    """

    function: str
    name: str
    cells: tuple[str, ...] = ()  # code, a cell each
    files: FilesOf | None = None
    mistake: str = ""
    misconception: str | None = None
    fails: frozenset[str] = frozenset()
    # Lost or not as the numbers drawn or measured will have it, whatever the mistake.
    may_fail: frozenset[str] = frozenset()

    @property
    def code(self) -> str:
        return "\n\n\n".join(self.cells)

    def must_fail(self, cases: Iterable[str]) -> set[str]:
        """Those of `cases` that it must lose."""
        return set(cases) if self.fails is ALL else set(cases) & self.fails


@dataclass(frozen=True)
class Wrong:
    """An entry of a table of wrong solutions; the fields mean what they mean in `Solution`."""

    mistake: str
    fails: frozenset[str] | set[str]
    code: Code = ()
    files: FilesOf | None = None
    misconception: str | None = None
    may_fail: frozenset[str] | set[str] = frozenset()


def wrong(table: dict[str, dict[str, Wrong]]) -> tuple[Solution, ...]:
    """The solutions of a table {function: {name: entry}}."""
    return tuple(
        Solution(
            function,
            name,
            cells(entry.code),
            entry.files,
            mistake=entry.mistake,
            misconception=entry.misconception,
            fails=entry.fails if entry.fails is ALL else frozenset(entry.fails),
            may_fail=frozenset(entry.may_fail),
        )
        for function, entries in table.items()
        for name, entry in entries.items()
    )


def right(table: dict[str, dict[str, Code]]) -> tuple[Solution, ...]:
    """The solutions of a table {function: {name: code}}."""
    return tuple(
        Solution(function, name, cells(code))
        for function, entries in table.items()
        for name, code in entries.items()
    )


def cells(code: Code) -> tuple[str, ...]:
    """The cells of an entry: one, where its code is one text."""
    return (code,) if isinstance(code, str) else code


def block(code: str) -> str:
    """Code that stands indented in a table, as it stands in a cell."""
    return dedent(code).strip()


def filled(template: str, **parts: str) -> str:
    """The code of a template whose slots, `$name`, get the parts of those names.

    A slot alone on its line takes statements, or none; any other takes an expression, which is put
    in brackets if it has several lines. Parts may have slots in turn.
    """
    lines = []
    for line in template.split("\n"):
        margin = line[: len(line) - len(line.lstrip())]
        alone = SLOT.fullmatch(line.strip())
        if not alone:
            lines.append(SLOT.sub(lambda slot: _expression(parts[slot[1]], margin), line))
        elif parts[alone[1]]:
            lines.append(indent(block(parts[alone[1]]), margin))
    code = "\n".join(lines)
    return filled(code, **parts) if SLOT.search(code) else code


def _expression(code: str, margin: str) -> str:
    code = block(code)
    return f"(\n{indent(code, margin + '    ')}\n{margin})" if "\n" in code else code
