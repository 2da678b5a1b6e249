"""Reading a notebook, and what its code cells define.

Nothing here runs or compiles a student's code: `ast.parse` finds the statements that only define something, and
everything else (checks, plots, loading the model) is left out. The text may be hostile, so size and work are bounded.
"""

import ast
import json
import os
import re
import stat
import warnings
from dataclasses import dataclass

from keyhole.errors import KeyholeError
from keyhole.text import one_line

NOTEBOOK_MB = 20
SOURCE_CHARACTERS = 1_000_000  # of all cells together; a cell that would pass it is left out
MAGIC_LINES = 40  # per cell; each costs one more parse of that cell

UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)  # what ast.parse and json.loads raise on bad text
PYTHON_CELL_MAGICS = {"time", "timeit", "capture", "prun", "debug", "memit"}  # their body is ordinary Python
MAGIC = re.compile(r"^\s*(?:[%!?]|[\w.*]+\?{1,2}\s*$|(?P<name>\w+)\s*=\s*[%!])")
DEF = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)[ \t]*\(", re.MULTILINE)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
IMPORTS = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class Definitions:
    """What a notebook defines, with the student's own text of it; a later definition of a name wins."""

    source: str  # only imports, functions, classes and assignments that call nothing
    functions: frozenset[str]
    untouched: frozenset[str]  # functions that still are the released stub
    broken: dict[str, str]  # function -> one sentence, for a function whose cell has a syntax error
    dropped: frozenset[str]  # names bound by top-level statements that were not kept
    notes: tuple[str, ...]  # one sentence each: what was skipped or mended


def read_notebook(path, follow_links: bool = True):
    """The notebook in a file, as an nbformat 4 NotebookNode whose code cells have lost their outputs.

    Raises KeyholeError when it is missing, too large, not JSON or not a notebook. `follow_links=False` refuses a symbolic link.
    """
    name = one_line(os.path.basename(path), 80)
    try:
        raw = json.loads(read_file(path, NOTEBOOK_MB, follow_links))
    except UNREADABLE:
        raise KeyholeError(f"{name} is not valid JSON, so it is not a notebook: open it in Jupyter and save it again.") from None
    return _as_notebook(raw, name)


def read_file(path, limit_mb: float, follow_links: bool = True, advice: str = "clear its outputs and save it again.") -> bytes:
    """The bytes of a regular file of at most `limit_mb`; raises KeyholeError. (A student may hand in a link, a pipe, a device.)

    `advice` is said of a file that is too large.
    """
    name = one_line(os.path.basename(path), 80)
    # NONBLOCK: opening a named pipe must not wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0))
    if not follow_links and os.path.islink(path):
        raise KeyholeError(f"{name} is a symbolic link, which is not followed: hand in the file itself.")
    try:
        with open(path, "rb", opener=lambda p, _: os.open(p, flags)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyholeError(f"{name} is not an ordinary file.")
            if status.st_size > limit_mb * 2**20:
                raise KeyholeError(f"{name} has {status.st_size / 2**20:.0f} MB; at most {limit_mb} MB are read: {advice}")
            return file.read()
    except FileNotFoundError:
        raise KeyholeError(f"there is no {name}.") from None
    except (OSError, ValueError) as error:
        raise KeyholeError(f"{name} cannot be read: {one_line(getattr(error, 'strerror', None) or error, 100)}.") from None


def _as_notebook(raw, name: str):
    import nbformat  # here: it is slow to import, and a child that only runs definitions does without it

    complaint = KeyholeError(f"{name} is JSON but not a notebook: it has no list of cells.")
    if not isinstance(raw, dict):
        raise complaint
    try:
        notebook = nbformat.from_dict(raw)
        if raw.get("nbformat", 4) != 4 or "worksheets" in raw:
            notebook = nbformat.convert(notebook, 4)
    except Exception:  # the converters raise whatever a wrong type raises
        raise complaint from None
    if not isinstance(notebook.get("cells"), list):
        raise complaint
    notebook.cells = [_mended_cell(cell) for cell in notebook.cells if isinstance(cell, dict)]
    notebook.metadata = notebook.get("metadata") if isinstance(notebook.get("metadata"), dict) else nbformat.from_dict({})
    return notebook


def _mended_cell(cell):
    """A cell with the three entries that readers rely on, of the types they rely on."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(line for line in source if isinstance(line, str))
    cell["source"] = source if isinstance(source, str) else ""
    cell["metadata"] = cell["metadata"] if isinstance(cell.get("metadata"), dict) else type(cell)()
    cell["cell_type"] = cell.get("cell_type") if cell.get("cell_type") in ("code", "markdown", "raw") else "raw"
    if cell["cell_type"] == "code":
        cell["outputs"] = []
    return cell


def grade_id(cell) -> str | None:
    """The nbgrader id of a cell, or None."""
    mark = cell["metadata"].get("nbgrader")
    name = mark.get("grade_id") if isinstance(mark, dict) else None
    return name if isinstance(name, str) and name else None


def definitions(notebook) -> Definitions:
    """What the code cells of a notebook define, in their order."""
    found = _Collector()
    for number, cell in enumerate(notebook.cells, start=1):
        if cell["cell_type"] == "code":
            found.add_cell(cell["source"], number)
    return found.result()


class _Collector:
    """Definitions of the cells so far."""

    def __init__(self):
        self.pieces, self.notes, self.room = [], [], SOURCE_CHARACTERS
        self.functions, self.untouched, self.dropped, self.broken = set(), set(), set(), {}

    def result(self) -> Definitions:
        # A broken cell never replaced an earlier, complete definition: in Jupyter, too, it would not have run.
        broken = {name: why for name, why in self.broken.items() if name not in self.functions - self.untouched}
        return Definitions("\n".join(self.pieces), frozenset(self.functions), frozenset(self.untouched), broken,
                           frozenset(self.dropped), tuple(self.notes))

    def add_cell(self, source: str, number: int) -> None:
        if len(source) > self.room:
            self.notes.append(f"cell {number} was left out: the notebook's code has more than {SOURCE_CHARACTERS:,} characters.")
            return
        self.room -= len(source)
        source = source.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        source = self._without_cell_magic(source)
        try:
            lines, tree = self._parse(source)
        except UNREADABLE as error:
            why = _what_is_wrong(error)
            self.notes.append(f"cell {number} was left out: {why}.")
            self.broken |= {name: f"the cell that defines `{one_line(name, 60)}` does not parse: {why}." for name in DEF.findall(source)}
            return
        lines = [line.encode() for line in lines]  # the tree counts columns in UTF-8 bytes
        for statement in tree.body:
            self._add_statement(statement, lines)

    def _without_cell_magic(self, source: str) -> str:
        first, _, body = source.lstrip().partition("\n")
        if not first.startswith("%%"):
            return source
        return body if first[2:].split(" ")[0].strip() in PYTHON_CELL_MAGICS else ""

    def _parse(self, source: str):
        """The lines of a cell and their syntax tree. A line of IPython's own syntax never parses, so it is found by its error
        (by its looks alone it might be part of a docstring) and becomes `pass`."""
        lines = source.split("\n")
        for _ in range(MAGIC_LINES):
            try:
                return lines, _tree("\n".join(lines))
            except SyntaxError as error:
                at = min(error.lineno or 1, len(lines)) - 1
                while at > 0 and lines[at - 1].endswith("\\"):  # the error may be in what a command goes on with
                    at -= 1
                magic = MAGIC.match(lines[at])
                if not magic:
                    raise
                if magic["name"]:
                    self.dropped.add(magic["name"])
                indent, goes_on = lines[at][: len(lines[at]) - len(lines[at].lstrip())], lines[at].endswith("\\")
                lines[at] = indent + "pass"
                while goes_on and at + 1 < len(lines):
                    at += 1
                    goes_on, lines[at] = lines[at].endswith("\\"), ""
        raise ValueError(f"more than {MAGIC_LINES} lines of IPython commands")

    def _add_statement(self, node, lines) -> None:
        names = set(_bound(node))
        if not self._keeps(node):
            self.dropped |= names  # an earlier definition of the same name stays, as the student wrote it
            return
        self.pieces.append(_text(node, lines))
        aliases_a_function = self._names_a_function(node)
        self.dropped -= names
        self.functions -= names
        self.untouched -= names
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or aliases_a_function:
            self.functions |= names
        if _is_stub(node):
            self.untouched |= names

    def _keeps(self, node) -> bool:
        """Does this top-level statement only define?"""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.Import() | ast.ImportFrom():
                return True
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                return node.value is not None and all(map(_only_names, targets)) and self._calls_nothing(node.value)
            case ast.Try():  # `try: import x / except ImportError: x = None`
                inside = node.body + node.orelse + node.finalbody + [s for handler in node.handlers for s in handler.body]
                return all(isinstance(s, (*IMPORTS, ast.Pass)) or isinstance(s, ast.Assign) and self._keeps(s) for s in inside)
        return False

    def _calls_nothing(self, value) -> bool:
        for node in _outside_bodies(value):
            if isinstance(node, (ast.Call, ast.Await, ast.Yield, ast.YieldFrom)):
                return False
            if isinstance(node, ast.Name) and node.id in self.dropped and node.id not in self.functions:
                return False  # made from something that is not there
        return True

    def _names_a_function(self, node) -> bool:
        value = getattr(node, "value", None)
        return isinstance(value, ast.Lambda) or isinstance(value, ast.Name) and value.id in self.functions


def _tree(source: str) -> ast.Module:
    with warnings.catch_warnings():  # invalid escapes in a student's strings are no business of the grader's terminal
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _what_is_wrong(error) -> str:
    match error:
        case SyntaxError():
            return f"syntax error in line {error.lineno or '?'}: {one_line(error.msg, 120)}"
        case RecursionError() | MemoryError():
            return "its code is nested too deeply"
    return one_line(error, 120)


def _outside_bodies(node):
    """The nodes that are evaluated when a top-level statement runs: all but the bodies of functions and lambdas."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.Lambda):
            waiting.append(node.args)
        elif isinstance(node, ast.comprehension):  # its variable is bound nowhere else
            waiting.extend([node.iter, *node.ifs])
        elif not isinstance(node, SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _bound(statement):
    """Names that a top-level statement binds."""
    for node in _outside_bodies(statement):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=asname) if name != "*":
                yield asname or name.split(".")[0]


def _only_names(target) -> bool:
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(isinstance(element, ast.Name) for element in target.elts)
    return isinstance(target, ast.Name)


def _is_stub(node) -> bool:
    """Is this a function with nothing in its body but `raise NotImplementedError(...)`, after an optional docstring?"""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise):
        return False
    raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _text(node, lines) -> str:
    """The student's own text of a statement, decorators included."""
    decorators = getattr(node, "decorator_list", [])
    first = (decorators[0].lineno if decorators else node.lineno) - 1
    piece = lines[first : node.end_lineno]
    piece[-1] = piece[-1][: node.end_col_offset]
    if not decorators:
        piece[0] = piece[0][node.col_offset :]
    return b"\n".join(piece).decode()
