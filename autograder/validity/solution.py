"""What an entry of the catalogue is."""

from collections.abc import Callable
from dataclasses import dataclass
from textwrap import dedent

ALL = frozenset({"all"})  # every hidden test of the function


@dataclass(frozen=True)
class Solution:
    """One graded function, or the files beside the notebook, as a student might hand it in.

    A wrong one says in words what was misunderstood. It must lose each case of `fails` ("llama" of "subject_key.llama") and no other, and
    its messages must name `misconception`; None: what it does cannot be told from what it gives.
    """

    function: str
    name: str
    cells: tuple[str, ...] = ()  # code, a cell each
    files: Callable | None = None  # model -> {file name: bytes}
    mistake: str = ""
    misconception: str | None = None
    fails: frozenset[str] = frozenset()
    may_fail: frozenset[str] = (
        frozenset()
    )  # where it follows from the numbers drawn or measured, not from the mistake

    @property
    def code(self):
        return "\n\n\n".join(self.cells)

    def must_fail(self, cases):
        """Those of `cases` that it must lose."""
        return set(cases) if self.fails is ALL else set(cases) & self.fails


def wrong(table):
    """Solutions from {function: {name: (mistake, misconception, cases to fail, code[, cases that it may fail])}}."""
    return tuple(
        Solution(
            function,
            name,
            cells(code),
            mistake=mistake,
            misconception=misconception,
            fails=frozenset(fails) if fails is not ALL else ALL,
            may_fail=frozenset(*may),
        )
        for function, entries in table.items()
        for name, (mistake, misconception, fails, code, *may) in entries.items()
    )


def right(table):
    """Solutions from {function: {name: code}}."""
    return tuple(
        Solution(function, name, cells(code))
        for function, entries in table.items()
        for name, code in entries.items()
    )


def cells(code):
    return (code,) if isinstance(code, str) else tuple(code)


def block(code):
    """Code that stands indented in a table, as it stands in a cell."""
    return dedent(code).strip()
