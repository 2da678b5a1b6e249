"""Reading a notebook, and what its code cells define.

Nothing here runs or compiles a student's code. `ast.parse` finds the statements that only define
something; everything else (checks, plots, loading the model) is left out. The text may be hostile,
so size and work are bounded.
"""

import ast
import os
import re
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from keyhole.errors import KeyholeError
from keyhole.messages import Remark, feedback, listed
from keyhole.notebooks import newer
from keyhole.notebooks.file import UNREADABLE, load
from keyhole.notebooks.statements import (
    ASSIGNMENTS,
    BLOCKS,
    FUNCTIONS,
    IMPORTS,
    SCOPES,
    TRIES,
    bound,
    changed,
    imports,
    is_idle,
    is_stub,
    only_names,
    outside_bodies,
    root,
    suites,
    text,
    used,
)
from keyhole.text import one_line

if TYPE_CHECKING:  # nbformat is slow to import, and a child that only runs definitions needs none
    from nbformat import NotebookNode

MOST_CELLS = 1_000  # an honest notebook has some 50
SOURCE_CHARACTERS = 1_000_000  # of all cells together; a cell that would pass it is left out
MAGIC_LINES = 40  # per cell; each costs one more parse of that cell
# By one Work, a cell counted each time it is parsed; an honest submission has some 100,000.
PARSED_CHARACTERS = 5 * SOURCE_CHARACTERS
MOST_NUMBERS = 6  # of cells in one sentence
MOST_NOTES = 12  # on single cells

# Their body is ordinary Python.
PYTHON_CELL_MAGICS = {"time", "timeit", "capture", "prun", "debug", "memit"}
MAGIC = re.compile(r"^\s*(?:[%!?]|[\w.*]+\?{1,2}\s*$|(?P<name>\w+)\s*=\s*[%!])")
DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*[\[(]", re.MULTILINE)
# What a cell that is left out would have bound, apart from functions.
ASSIGNED = re.compile(r"^(?:class[ \t]+(\w+)|(\w+)[ \t]*(?::[^=\n]*)?=(?!=))", re.MULTILINE)
IMPORTED = re.compile(
    r"^(?:from[ \t]+[\w.]+[ \t]+)?import[ \t]+(?:\(([^)]*)\)|([^\n#;]+))", re.MULTILINE
)
# CPython keeps each beginning of a dotted name while it parses: memory grows with the square.
LONG_DOTTED = re.compile(r"(?:\.[\s\\]*+\w++[\s\\]*+){200}")
FENCE = re.compile(r"[ \t]*(?:`{3}|~{3})[\w ]*$")
INDENTED = re.compile(r"\n*([ \t]+)(?=[^\s#])")
MERGE = re.compile(r"^(?:<{7}|={7}|>{7})", re.MULTILINE)
# What unicodedata.normalize leaves as it is.
PLAIN = str.maketrans("“”„″‘’‚′、。–—−×", '""""' + "''''" + ",.---*")


@dataclass(frozen=True)
class Definitions:
    """What a notebook defines, in the student's own text.

    A later definition of a name wins, unless it is the blank.
    """

    source: str  # only imports, functions, classes and assignments that call nothing
    functions: frozenset[str]  # and what may be one
    untouched: frozenset[str]  # functions that still are the released stub
    broken: dict[str, str]  # function -> one sentence, for a function whose cell has a syntax error
    # Name -> code of the sentence why it is not there, and the number of the cell that would have
    # bound it: in a top-level statement that was not kept, or in a cell that was left out.
    dropped: dict[str, tuple[str, int]]
    notes: tuple[str, ...]  # one sentence each: what was skipped or mended
    # Function -> the numbers, from 1, of the cells that define it; the last one counts.
    cells: dict[str, tuple[int, ...]]
    # Function -> a kept name on which it rests, and the number of the cell in which a statement
    # that was not kept would have changed that name afterwards.
    altered: dict[str, tuple[str, int]] = field(default_factory=dict)
    python: str | None = None  # that the notebook was saved by, where it is newer than this one
    uses: dict[str, Collection[str]] = field(default_factory=dict)  # what each one looks up

    def rests_on(self, function: str, name: str) -> bool:
        """Whether a function looks `name` up, itself or through others."""
        seen, waiting = {function}, [function]
        while waiting:
            for other in self.uses.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return name in seen - {function}

    def why_absent(self, name: str) -> Remark | None:
        """Why a name of the notebook is not there; None where nothing is known of it."""
        if name in self.broken:
            return self.broken[name]
        if name not in self.dropped:
            return None
        code, number = self.dropped[name]
        return feedback(code, variable=one_line(name, 60), number=number)

    def why_altered(self, function: str) -> Remark | None:
        """What a function rests on that has another value than in the notebook, if anything."""
        if function not in self.altered:
            return None
        name, number = self.altered[function]
        return feedback("changed_later", variable=one_line(name, 60), number=number)


class Work:
    """How much code may still be parsed, of one notebook or of several.

    The size of a cell does not bound what it costs to parse.
    """

    def __init__(self):
        self.left = PARSED_CHARACTERS

    def tree(self, source: str) -> ast.Module:
        """The syntax tree of a text.

        Raises what `ast.parse` raises, and ValueError when there is no room left for the text.
        """
        # Of many braces in one f-string CPython looks at each one again for each other.
        price = len(source) * (1 + source.count("{") // 1000)
        if price > self.left or LONG_DOTTED.search(source):
            raise ValueError(feedback("cell_work", most=f"{PARSED_CHARACTERS:,}"))
        self.left -= price
        return _tree(source)


def read_notebook(path: str | Path, follow_links: bool = True) -> "NotebookNode":
    """The notebook in a file, as nbformat 4, without the outputs of its code cells.

    Raises KeyholeError when it is missing, too large, not JSON or not a notebook.
    `follow_links=False` refuses a symbolic link.
    """
    return read_mended(path, follow_links)[0]


def read_mended(
    path: str | Path, follow_links: bool = True
) -> tuple["NotebookNode", tuple[str, ...]]:
    """As read_notebook, and a tuple of sentences: what was mended.

    Of the notebook and its cells only what the kit's readers use is kept.
    """
    from nbformat import NotebookNode  # late: see above

    name = one_line(os.path.basename(path), 80)
    raw, notes = load(path, follow_links)
    cells = _cells(raw)
    if cells is None:
        raise KeyholeError(feedback("file_no_cells", file=name))
    if raw.get("nbformat", 4) != 4 or "cells" not in raw:
        notes.append(
            feedback("file_version", file=name, version=one_line(raw.get("nbformat", "?"), 10))
        )
    if len(cells) > MOST_CELLS:
        notes.append(
            feedback("file_many_cells", file=name, count=f"{len(cells):,}", most=f"{MOST_CELLS:,}")
        )
    honest = [cell for cell in cells[:MOST_CELLS] if isinstance(cell, dict)]
    if nothing := min(len(cells), MOST_CELLS) - len(honest):
        notes.append(feedback("file_no_cell", file=name, count=nothing))
    mends = set()
    notebook = NotebookNode(
        nbformat=4,
        nbformat_minor=5,
        metadata=_plain(raw.get("metadata")),
        cells=[_mended_cell(cell, name, mends) for cell in honest],
    )
    return notebook, (*notes, *sorted(mends))


def _cells(raw: dict) -> list | None:
    """The list of cells, in the notebook itself or, up to nbformat 3, in its worksheets."""
    if isinstance(raw.get("cells"), list):
        return raw["cells"]
    sheets = raw.get("worksheets")
    if not isinstance(sheets, list):
        return None
    return [
        cell
        for sheet in sheets
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
        for cell in sheet["cells"]
    ]


def _mended_cell(cell: dict, name: str, mends: set):
    """A cell with the entries that readers rely on, of the types they rely on.

    `mends` gets the sentences on its text.
    """
    from nbformat import NotebookNode

    source = cell.get("source", cell.get("input", ""))  # up to nbformat 3 a code cell has an input
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    if not isinstance(source, str) or not {"source", "input"} & cell.keys():
        source = ""
        mends.add(feedback("file_no_text", file=name))
    if source.startswith("\ufeff"):
        source = source.lstrip("\ufeff")
        mends.add(feedback("file_marks", file=name))
    if "\0" in source:
        source = source.replace("\0", "")
        mends.add(feedback("file_nulls", file=name))
    if "\r" in source:
        source = source.replace("\r\n", "\n").replace("\r", "\n")
        mends.add(feedback("file_line_ends", file=name))
    half = source[: len(source) // 2]
    if "\n" in half and not half.endswith("\n") and source == half + half:
        source = half  # a server of shared notebooks joined the text to itself
        mends.add(feedback("file_doubled", file=name))
    kind = cell.get("cell_type")
    if kind == "heading":  # of nbformat 3
        kind, source = "markdown", f"# {source}"
    mended = NotebookNode(
        cell_type=kind if kind in ("code", "markdown", "raw") else "raw",
        metadata=_plain(cell.get("metadata")),
        source=source,
    )
    if kind == "code":
        mended["outputs"] = []
    mended.update((entry, cell[entry]) for entry in ("id", "attachments") if entry in cell)
    return mended


def _plain(metadata):
    """Of metadata the plain values, down to one level.

    What is nested deeper may be of any size, and nobody reads it.
    """
    from nbformat import NotebookNode

    values = (str, int, float, bool)
    entries = metadata.items() if isinstance(metadata, dict) else ()
    return NotebookNode(
        {
            key: (
                NotebookNode({k: v for k, v in value.items() if isinstance(v, values)})
                if isinstance(value, dict)
                else value
            )
            for key, value in entries
            if isinstance(value, (dict, *values))
        }
    )


def grade_id(cell: dict) -> str | None:
    """The nbgrader id of a cell, or None."""
    mark = cell["metadata"].get("nbgrader")
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return name if isinstance(name, str) and name else None


def definitions(
    notebook: "NotebookNode", code: Collection[str] = (), work: Work | None = None
) -> Definitions:
    """What the code cells of a notebook define, in their order.

    `code` are the ids of cells that count as code, whatever type they have now. `work` is what may
    still be parsed, where several notebooks share it.
    """
    collector = _Collector(work or Work(), newer.saved_by(notebook.metadata))
    # Prose that has the id of a cell of code, as copying cells leaves it, stays prose.
    taken = {grade_id(cell) for cell in notebook.cells if cell["cell_type"] == "code"}
    taken |= {
        grade_id(cell)
        for cell in notebook.cells
        if cell["cell_type"] != "code" and DEF.search(cell["source"])
    }
    for number, cell in enumerate(notebook.cells, start=1):
        name, source = grade_id(cell), cell["source"]
        is_prose = cell["cell_type"] != "code" and name in taken and not DEF.search(source)
        if cell["cell_type"] == "code" or name in code and not is_prose:
            collector.add_cell(source, number)
    return collector.result()


class _Collector:
    """Definitions of the cells so far."""

    def __init__(self, work: Work, saved: newer.Version | None):
        self.work, self.pieces, self.notes, self.room = work, [], [], SOURCE_CHARACTERS
        self.saved = saved
        self.functions, self.untouched, self.dropped, self.broken = set(), set(), {}, {}
        self.cells, self.indented, self.fenced = {}, [], []  # numbers of cells
        self.before = None  # number and text of the cell before, and the number of notes then
        # Names that were kept: how each was bound, of those with a body what that looks up, and
        # of those that a statement changed that was not kept the number of its cell.
        self.kept, self.uses, self.changed = {}, {}, {}

    def result(self) -> Definitions:
        # A broken cell replaces no earlier, complete definition: Jupyter would not have run it.
        broken = {
            name: cell_and_why
            for name, cell_and_why in self.broken.items()
            if name not in self.functions or name in self.untouched
        }
        if (more := len(self.notes) - MOST_NOTES) > 0:
            self.notes[MOST_NOTES:] = [feedback("cells_more", count=more)]
        if self.indented:
            more = len(self.indented) > MOST_NUMBERS
            numbers = listed(self.indented[:MOST_NUMBERS], more)
            self.notes.append(feedback("cells_indented", numbers=numbers))
        if self.fenced:
            more = len(self.fenced) > MOST_NUMBERS
            numbers = listed(self.fenced[:MOST_NUMBERS], more)
            self.notes.append(feedback("cells_fenced", numbers=numbers))
        return Definitions(
            "\n".join(self.pieces),
            frozenset(self.functions),
            frozenset(self.untouched),
            {name: why for name, (_, why) in broken.items()},
            self.dropped,
            tuple(self.notes),
            {name: self.cells[name] for name in self.functions}
            | {name: (number,) for name, (number, _) in broken.items()},
            self._altered(),
            self.saved and newer.shown(self.saved),
            self.uses,
        )

    def _altered(self) -> dict[str, tuple[str, int]]:
        """What has a body and rests on a changed name, directly or through others."""
        users = {}
        for name, looked_up in self.uses.items():
            for other in looked_up:
                users.setdefault(other, []).append(name)
        altered = {}
        waiting = [(name, (name, number)) for name, number in self.changed.items()]
        for name, origin in waiting:
            for user in users.get(name, ()):
                if user not in altered:
                    altered[user] = origin
                    waiting.append((user, origin))
        return altered

    def add_cell(self, source: str, number: int) -> None:
        if len(source) > self.room:
            self.notes.append(
                feedback(
                    "cell_left_out",
                    number=number,
                    why=feedback("cell_too_much", most=f"{SOURCE_CHARACTERS:,}"),
                )
            )
            return
        self.room -= len(source)
        source = source.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        source = self._without_cell_magic(source)
        before, self.before = self.before, (number, source, len(self.notes))
        try:
            lines, tree = self._joined(before, source, number) or self._read(source, number)
        except UNREADABLE as error:
            self._leave_out(error, source, number)
            return
        joined_to = self.before[0]
        if joined_to == number and INDENTED.match(source) and DEF.search(source):
            self.indented.append(number)
        lines = [line.encode() for line in lines]  # the tree counts columns in UTF-8 bytes
        for statement in tree.body:
            self._add_statement(statement, lines, joined_to)

    def _read(self, source: str, number: int):
        """Lines and tree of one cell; where it does not parse, of the code in Markdown's fences."""
        try:
            return self._parse(_dedented(source))
        except UNREADABLE:
            inside = _fenced(source)
            if inside is None:
                raise
            read = self._parse(_dedented(inside))
            self.fenced.append(number)
            return read

    def _leave_out(self, error: Exception, source: str, number: int) -> None:
        """Note a cell that cannot be parsed, and what it most likely would have bound."""
        why = self._what_is_wrong(error, source)
        self.notes.append(feedback("cell_left_out", number=number, why=why))
        for name in DEF.findall(source):
            details = {"function": one_line(name, 60), "why": why}
            self.broken[name] = number, feedback("cell_does_not_parse", **details)
        for name in _would_bind(source):
            if name not in self.kept:
                self.dropped.setdefault(name, ("in_left_out", number))

    def _joined(self, before, source: str, number: int):
        """Lines and tree of this cell and the one before, if only together they are a function."""
        if not before or not INDENTED.match(source) or len(before[1]) > self.room:
            return None
        first, head, notes = before
        if len(self.notes) == notes and self._stands_alone(_dedented(source)):
            return None
        self.room -= len(head)
        try:
            lines, tree = self._parse(f"{head}\n{source}")
        except UNREADABLE:
            return None
        self.notes[notes:] = [feedback("cells_joined", first=first, second=number)]
        self.before = (first, f"{head}\n{source}", notes)
        for name in DEF.findall(head):
            self.broken.pop(name, None)
        return lines, tree

    def _stands_alone(self, source: str) -> bool:
        """Is this whole statements, with no `return` outside of a function?"""
        try:
            tree = self.work.tree(source)
        except UNREADABLE:
            return False
        return not any(
            isinstance(node, (ast.Return, ast.Yield))
            for statement in tree.body
            for node in outside_bodies(statement)
        )

    def _without_cell_magic(self, source: str) -> str:
        first, _, body = source.lstrip().partition("\n")
        if not first.startswith("%%"):
            return source
        return body if first[2:].split(" ")[0].strip() in PYTHON_CELL_MAGICS else ""

    def _parse(self, source: str):
        """The lines of a cell and their syntax tree.

        A line of IPython's own syntax never parses, so its error tells where it is, and it becomes
        `pass`. (By its looks alone it might be part of a docstring.)
        """
        lines = source.split("\n")
        for _ in range(MAGIC_LINES):
            try:
                return lines, self.work.tree("\n".join(lines))
            except SyntaxError as error:
                at = min(error.lineno or 1, len(lines)) - 1
                # The error may be in a line with which a command goes on.
                while at > 0 and lines[at - 1].endswith("\\"):
                    at -= 1
                magic = MAGIC.match(lines[at])
                if not magic:
                    raise
                if magic["name"]:
                    self._lose([magic["name"]], [magic["name"]], self.before[0])
                indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
                goes_on = lines[at].endswith("\\")
                lines[at] = indent + "pass"
                while goes_on and at + 1 < len(lines):
                    at += 1
                    goes_on, lines[at] = lines[at].endswith("\\"), ""
        raise ValueError(feedback("cell_commands", most=MAGIC_LINES))

    def _add_statement(self, node, lines, number: int) -> None:
        cut = self._take(node, lines, number)
        if cut is None:
            return
        piece = text(node, lines, cut)
        if cut:
            try:
                self.work.tree(piece)
            except UNREADABLE:
                self._leave(node, number)
                return
        self.pieces.append(piece)

    def _take(self, node, lines, number: int) -> list[ast.stmt] | None:
        """The parts to cut out of a top-level statement; None where it is not kept at all."""
        if isinstance(node, TRIES) or isinstance(node, ast.If) and self._calls_nothing(node.test):
            return self._take_block(node, lines, number)
        if isinstance(node, BLOCKS):
            self._leave(node, number)
            for each in imports(node):
                self.pieces.append(text(each, lines))
                self._keep(each, number)
            return None
        if is_stub(node) and all(
            name in self.functions and name not in self.untouched for name in bound(node)
        ):
            return None  # a copy of the blank takes nothing away
        if not self._keeps(node):
            # An earlier definition of the same name stays, as the student wrote it.
            self._leave(node, number)
            return None
        self._keep(node, number)
        return []

    def _take_block(self, node, lines, number: int) -> list[ast.stmt] | None:
        """As `_take`, of an `if` or a `try`: what only defines is kept of it."""
        cut, lost, kept, sure = [], set(), False, True
        for suite in suites(node):
            for part in suite:
                # What was left out of a `try` may have failed, and what follows not have happened.
                doubted = not sure and isinstance(part, ASSIGNMENTS)
                if doubted:
                    lost.update(bound(part))
                if doubted and suite is node.body:
                    self._leave(part, number)
                    inside = None
                else:
                    inside = self._take(part, lines, number)
                if inside is not None:
                    cut += inside
                    kept = True
                    continue
                cut.append(part)
                lost.update(set(bound(part)).difference(*map(bound, imports(part))))
                if isinstance(node, TRIES) and suite is node.body and not is_idle(part):
                    sure = False
        self._lose(lost, lost, number)
        return cut if kept else None

    def _leave(self, node, number: int) -> None:
        """Note what a statement that is not kept would have done."""
        self._lose(bound(node), changed(node), number)

    def _lose(self, names: Iterable[str], changes: Iterable[str], number: int) -> None:
        self.dropped |= dict.fromkeys(names, ("set_by_call", number))
        for name in changes:
            if self.kept.get(name, "import") != "import":
                self.changed.setdefault(name, number)

    def _keep(self, node, number: int) -> None:
        """Note what a statement that is kept binds."""
        names, stub = set(bound(node)), is_stub(node)
        aliases_a_function = self._names_a_function(node)
        earlier = {
            name: self.cells[name] for name in names & self.functions if name not in self.untouched
        }
        self.functions -= names
        self.untouched -= names
        has_body = isinstance(node, SCOPES)
        kind = "import" if isinstance(node, IMPORTS) else "code" if has_body else "value"
        looked_up = used(node) if has_body or aliases_a_function else ()
        for name in names:
            self.dropped.pop(name, None)
            self.kept[name], self.uses[name] = kind, looked_up
            if not isinstance(node, ast.AugAssign):
                self.changed.pop(name, None)
        if isinstance(node, FUNCTIONS) or aliases_a_function:
            self.functions |= names
            self.cells |= {name: _with_last(earlier.get(name, ()), number) for name in names}
        if stub:
            self.untouched |= names

    def _keeps(self, node) -> bool:
        """Does this top-level statement only define?"""
        if not isinstance(node, ASSIGNMENTS):
            return isinstance(node, (*SCOPES, *IMPORTS))
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return (
            node.value is not None
            and all(self._may_set(target, isinstance(node, ast.AugAssign)) for target in targets)
            and self._calls_nothing(node.value)
        )

    def _may_set(self, target, augmented: bool) -> bool:
        """Is this a name, or a part of something that the notebook itself defines?"""
        if only_names(target) and not augmented:
            return True
        [name] = list(root(target)) or [None]
        # Modules and models have attributes too, and those are not the notebook's to set.
        of_code = any(isinstance(node, ast.Attribute) for node in ast.walk(target))
        kinds = ("code",) if of_code else ("value",)
        return (
            self.kept.get(name) in kinds
            and name not in self.dropped
            and self._calls_nothing(target)
        )

    def _calls_nothing(self, value) -> bool:
        for node in outside_bodies(value):
            if isinstance(node, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)):
                return False
            if isinstance(node, ast.Name) and node.id not in self.functions:
                if self.dropped.get(node.id, ("",))[0] == "set_by_call":
                    return False  # made from something that is not there
        return True

    def _names_a_function(self, node) -> bool:
        value = getattr(node, "value", None)
        # Whether these are functions, only running them would tell.
        may_be = isinstance(node, ast.ImportFrom) or isinstance(
            value, (ast.Lambda, ast.Attribute, ast.Subscript, ast.IfExp)
        )
        return may_be or isinstance(value, ast.Name) and value.id in self.functions

    def _what_is_wrong(self, error, source: str) -> Remark | str:
        match error:
            case TabError():
                return feedback("syntax_tabs", line=error.lineno or "?")
            case SyntaxError():
                if merge := MERGE.search(source):
                    return feedback("syntax_merge", line=1 + source.count("\n", 0, merge.start()))
                if code := re.search(r"\(?U\+([0-9A-F]{1,6})\)?$", error.msg):
                    return _foreign(chr(int(code[1], 16)), error.lineno or "?")
                if version := newer.syntax(error, _dedented(source), self.saved, self._parse):
                    return version
                return feedback("syntax", line=error.lineno or "?", error=one_line(error.msg, 120))
            case RecursionError() | MemoryError():
                return feedback("cell_too_deep")
        return one_line(error, 120)


def _would_bind(source: str) -> Iterator[str]:
    """Names that a cell which cannot be parsed most likely binds, apart from functions."""
    for first, second in ASSIGNED.findall(source):
        yield first or second
    for inside, rest in IMPORTED.findall(source):
        for alias in (inside or rest).split(","):
            if words := alias.split():
                yield words[-1] if "as" in words else words[0].split(".")[0]


def _tree(source: str) -> ast.Module:
    # Invalid escapes in a student's strings should not reach the grader's terminal.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _fenced(source: str) -> str | None:
    """The text with empty lines in place of Markdown's fences and of all that is outside of them.

    A single fence parts code from what was pasted with it. None where there is no fence.
    """
    lines = source.split("\n")
    fences = [at for at, line in enumerate(lines) if FENCE.match(line)]
    if not fences:
        return None
    code = len(fences) == 1 and any(line.strip() for line in lines[: fences[0]])
    for at, line in enumerate(lines):
        if FENCE.match(line):
            code, lines[at] = not code, ""
        elif not code:
            lines[at] = ""
    return "\n".join(lines)


def _dedented(source: str) -> str:
    """The text without the indentation of its first line, as IPython takes it."""
    indent = INDENTED.match(source)
    return (
        "\n".join(line.removeprefix(indent[1]) for line in source.split("\n")) if indent else source
    )


def _foreign(letter: str, line) -> str:
    """The sentence on a character that Python does not take."""
    plain = unicodedata.normalize("NFKC", letter).translate(PLAIN)
    named = {"line": line, "letter": one_line(letter), "code": f"{ord(letter):04X}"}
    if plain.isascii() and plain.isprintable() and plain.strip():
        return feedback("syntax_character", plain=plain, **named)
    return feedback("syntax_foreign", **named)


def _with_last(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return numbers if numbers[-1:] == (number,) else (*numbers, number)
