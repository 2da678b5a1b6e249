"""A student's definitions, run one after the other, and the sentences on what they raise.

The grader's child, the self-check's child and `keyhole edit` all run a notebook's definitions here.
"""

import __future__

import ast
import dis
import importlib.util
import linecache
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, TracebackType

from keyhole.checking.adapters import BadResult
from keyhole.checking.start import same_start
from keyhole.messages import Remark, feedback
from keyhole.notebooks.statements import FUNCTIONS, bound, imports
from keyhole.text import one_line

SOURCE_NAME = "<notebook>"  # the file that tracebacks name


class Student:
    """A notebook's definitions: each one that fails loses only the names that it would have bound.

    `source` is what keyhole.notebooks.definitions kept of the notebook. It runs in `names`, which
    belong to a process for students' code alone. Without `names` the process is a command's, and
    Ctrl-C ends it. Raises SyntaxError where the source cannot be parsed.
    """

    def __init__(self, source: str, names: dict | None = None):
        # As for a notebook's cell, so that a message can quote the line that raised.
        lines = source.splitlines(keepends=True)
        linecache.cache[SOURCE_NAME] = (len(source), None, lines, SOURCE_NAME)
        self.names = {"__name__": "__main__"} if names is None else names
        self.failed: dict[str, str] = {}  # name -> what its definition raised
        body = ast.parse(source).body
        self._modules = dict(_origins(body))
        self._future = [
            node
            for node in body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        # A notebook's cells may have run in any order, so imports run first. They run again where
        # they stand, since a later definition of a name wins.
        passed_on = KeyboardInterrupt if names is None else ()
        with same_start():
            for node in [*filter(imports, body), *body]:
                try:
                    self._define(node)
                except passed_on:
                    raise
                except BaseException as error:
                    self.failed |= dict.fromkeys(bound(node), self.explain(error))

    def _define(self, node: ast.stmt) -> None:
        """Run a definition; where that fails, with its annotations left unevaluated.

        (Python 3.14 never evaluates them before they are needed. But code that looks at them finds
        texts then, so this is not done where it need not be.)
        """
        try:
            self._run(node)
        except Exception:
            if not _is_annotated(node):
                raise
            self._run(node, __future__.annotations.compiler_flag)

    def _run(self, node: ast.stmt, flags: int = 0) -> None:
        module = ast.Module([*self._future, node], [])
        exec(compile(module, SOURCE_NAME, "exec", flags, dont_inherit=True), self.names)

    def function(self, name: str) -> Callable:
        """The function of that name. Raises BadResult where there is none."""
        if name in self.names and callable(self.names[name]):
            return self.names[name]
        if name in self.failed:
            raise BadResult("definitions", self.failed[name])
        raise BadResult("absent")

    def explain(self, error: BaseException) -> str:
        """What `error` says, and why a name that it misses is not there."""
        return describe(error) + self.why_missing(error)

    def why_missing(self, error: BaseException | None) -> str:
        """Why the name that `error` misses is not there, in brackets; empty where that is unknown.

        Its module is not installed, or its definition failed.
        """
        name = missed_name(error)
        module = self._modules.get(name) or name and self._modules.get("*")
        if module and not _installed(module):
            return str(feedback("its_module", module=one_line(module, 60)))
        reason = self.failed.get(name)
        return str(feedback("its_definition", error=reason)) if reason else ""


def fresh_main() -> dict:
    """The names of a new `__main__`, for a process that does nothing but run a student's code.

    A notebook's definitions live in `__main__`: dataclasses and pickles look themselves up there.
    """
    sys.modules["__main__"] = ModuleType("__main__")
    return vars(sys.modules["__main__"])


def _origins(body) -> Iterator[tuple[str, str]]:
    """(name, module) of all that definitions import; the name is "*" where it may be any."""
    for statement in body:
        for node in imports(statement):
            for alias in node.names:
                module = node.module if isinstance(node, ast.ImportFrom) else alias.name
                if module:  # else it is relative, and a notebook is in no package
                    yield alias.asname or alias.name.split(".")[0], module


def _installed(module: str) -> bool:
    """Is there a module, or a package, at the beginning of that dotted name?"""
    try:
        return importlib.util.find_spec(module.split(".")[0]) is not None
    except (ImportError, ValueError):  # one that is there, but not to be had
        return True


def _is_annotated(node) -> bool:
    return any(
        isinstance(part, ast.AnnAssign)
        or isinstance(part, ast.arg)
        and part.annotation
        or isinstance(part, FUNCTIONS)
        and part.returns
        for part in ast.walk(node)
    )


# ---------------------------------------------------------------- what a student's code raised


def describe(error: BaseException) -> str:
    """An exception in one line, whatever its own __str__ does."""
    name = one_line(type(error).__name__, 60)
    try:
        said = one_line(error, 200)
    except BaseException:
        said = ""
    return f"{name}: {said}" if said else name


def missed_name(error: BaseException | None) -> str | None:
    """The name that was not defined, where that is what `error` says."""
    name = error.name if type(error) is NameError else None
    return name if type(name) is str else None


def raised(name: str, error: BaseException, function: object = None) -> Remark:
    """The sentence on an exception of the graded function `name`.

    It says that the function is still a blank, or what was raised and, where `function` is given,
    in which of its lines.
    """
    file = file_of(function)
    if blank := blank_of(error, file):
        other = blank != name and blank.isidentifier()
        return feedback("calls_blank" if other else "blank", function=name, blank=blank)
    what = describe(error).rstrip(".。")
    line = linecache.getline(file, line_number(error, file)).strip() if file else ""
    if not line:
        return feedback("raised", function=name, error=what)
    return feedback("raised_at", function=name, error=what, line=one_line(line, 100))


def blank_of(error: BaseException, file: str | None) -> str | None:
    """The function whose `raise NotImplementedError()` in `file` this is; None where it is none.

    (torch raises NotImplementedError, too.)
    """
    if not isinstance(error, NotImplementedError):
        return None
    *_, last = _places(error)
    code = last.tb_frame.f_code
    plain = dis.opname[code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
    return code.co_name if code.co_filename == file and plain else None


def line_number(error: BaseException, file: str) -> int:
    """The line of `file` that raised, counted from 1; 0 where none did."""
    lines = [
        place.tb_lineno for place in _places(error) if place.tb_frame.f_code.co_filename == file
    ]
    return lines[-1] if lines else 0


def file_of(function: object) -> str | None:
    """The file, or a notebook's cell, in which a function stands."""
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def _places(error) -> Iterator[TracebackType]:
    """The traceback, outermost call first."""
    place = error.__traceback__
    while place:
        yield place
        place = place.tb_next
