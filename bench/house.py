"""Figures of the house as a Markdown table, a column a tree: `python -m bench.house [FOLDER ...]`.

How they are counted:

- A *room* is a package folder right below autograder/, or a loose module there. keyhole with its
  inner rooms is one room; its messages are another, which the staff's rooms use by themselves.
- An *arrow* leads from a room to another one that it imports, anywhere in its files. Imports under
  `if TYPE_CHECKING` don't count, and neither do those between keyhole and its own messages.
- A *circle* is a set of rooms each of which reaches all the others. An arrow within a circle
  *runs back up* if late imports alone make it (imports inside functions).
- *Floors* are the rooms of the longest way down, without the arrows that run back up. A circle
  that is still there is one floor.
- *Lines of code* are lines with more on them than a comment or a docstring.
- A *function* has the lines from its `def` to its end, docstring and inner functions included.
  `self` and `cls` are no parameters; those of tests are not looked at.
- *Late imports* and *public functions* are counted outside tests/. A function is public if neither
  it nor its class or module has a name with a leading underscore, and it is no inner one.
- *Words* are what white space divides in README.md and docs/**/*.md.
"""

import argparse
import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from keyhole.terminal import print_anything

ROOMED = ("keyhole", "autograder", "lecture")  # their imports are drawn
FOLDERS = (*ROOMED, "bench", "tests")
WORDS = "keyhole.messages"
COLUMNS = 100
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}

Arrow = tuple[str, str]


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, and its text."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]

    @property
    def folder(self) -> str:
        return self.name.partition(".")[0]


def modules_of(root: Path) -> list[Module]:
    """The Python files of the tree at `root`."""
    modules = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules.append(Module(name, path.read_text(encoding="utf-8")))
    return modules


# ---------------------------------------------------------------- rooms and arrows


def room_of(name: str) -> str:
    """The room of a module; "" for autograder itself, which is only the folder of the rooms."""
    parts = name.split(".")
    if parts[0] == "keyhole":
        return WORDS if parts[1:2] == ["messages"] else "keyhole"
    if parts[0] == "lecture":
        return "lecture"
    return ".".join(parts[:2]) if len(parts) > 1 else ""


def imports(tree: ast.AST, late: bool = False) -> Iterator[tuple[list[str], bool]]:
    """Of each import: (what it imports, whether it is inside a function).

    What type checkers alone import is left out.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield [alias.name for alias in node.names], late
        elif isinstance(node, ast.ImportFrom):
            yield [f"{node.module}.{alias.name}" for alias in node.names], late
        yield from imports(node, late or isinstance(node, FUNCTIONS))


def arrows(modules: Iterable[Module]) -> dict[Arrow, bool]:
    """{(room, room that it imports): whether late imports alone make this arrow}"""
    drawn = [module for module in modules if module.folder in ROOMED]
    known = {module.name for module in drawn}
    found = {}
    for module in drawn:
        for names, late in imports(module.tree):
            for room in {room_of(_module(name, known)) for name in names}:
                arrow = room_of(module.name), room
                if all(arrow) and arrow[0] != room and set(arrow) != {"keyhole", WORDS}:
                    found[arrow] = found.get(arrow, True) and late
    return found


def _module(name: str, known: set[str]) -> str:
    """The module that `name` is, or is a part of; "" if it is none of ours."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def reached(drawn: Iterable[Arrow]) -> dict[str, set[str]]:
    """{room: the rooms that arrows lead to from it, itself only if it is in a circle}"""
    below = {room: set() for arrow in drawn for room in arrow}
    for start, end in drawn:
        below[start].add(end)
    grown = True
    while grown:
        grown = False
        for rooms in below.values():
            further = set().union(*(below[room] for room in rooms)) - rooms
            grown = grown or bool(further)
            rooms |= further
    return below


def circles(drawn: Iterable[Arrow]) -> set[frozenset[str]]:
    """The sets of rooms that all reach one another."""
    below = reached(drawn)
    return {
        frozenset(other for other in rooms if room in below[other])
        for room, rooms in below.items()
        if room in rooms
    }


def floors(drawn: Iterable[Arrow]) -> int:
    """The number of rooms on the longest way down; a circle counts as one."""
    drawn = list(drawn)
    stands_for = {room: room for arrow in drawn for room in arrow}
    for circle in circles(drawn):
        stands_for |= dict.fromkeys(circle, min(circle))
    above = {(stands_for[start], stands_for[end]) for start, end in drawn}
    above = {(start, end) for start, end in above if start != end}

    def height(room: str) -> int:
        return 1 + max((height(end) for start, end in above if start == room), default=0)

    return max(map(height, stands_for.values()), default=0)


# ---------------------------------------------------------------- lines, functions, words


def code_lines(module: Module) -> int:
    """Lines with more on them than a comment or a docstring."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
        if token.type not in NO_CODE:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)) and ast.get_docstring(node):
            lines -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return len(lines)


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """All parameters but `self` and `cls`."""
    given = function.args
    single = [each for each in (given.vararg, given.kwarg) if each]
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [each for each in (*named, *single) if each.arg not in ("self", "cls")]


def public_functions(module: Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions of the module and methods of its classes that others may call."""
    if any(part.startswith("_") for part in module.name.split(".")):
        return []
    classes = [node for node in module.tree.body if isinstance(node, ast.ClassDef)]
    return [
        node
        for holder in (module.tree, *(each for each in classes if each.name[0] != "_"))
        for node in holder.body
        if isinstance(node, FUNCTIONS) and node.name[0] != "_"
    ]


def unhinted(module: Module) -> list[str]:
    """Names of the public functions that lack the type of a parameter or of what they return."""
    return [
        f"{module.name}.{function.name}"
        for function in public_functions(module)
        if function.returns is None or not all(each.annotation for each in parameters(function))
    ]


def offered(modules: list[Module]) -> Iterator[tuple[str, ast.FunctionDef]]:
    """(name, function) of all that `from keyhole import ...` offers, methods included."""
    [front] = [module for module in modules if module.name == "keyhole"]
    tuples = [node for node in ast.walk(front.tree) if isinstance(node, ast.Tuple)]
    names = {ast.literal_eval(each) for node in tuples for each in node.elts if _is_text(each)}
    for module in _of("keyhole", modules):
        for node in module.tree.body:
            if getattr(node, "name", None) in names:
                inside = node.body if isinstance(node, ast.ClassDef) else [node]
                yield from (
                    (f"{module.name}.{each.name}", each)
                    for each in inside
                    if isinstance(each, FUNCTIONS)
                )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def longest(sizes: Iterable[tuple[int, str]]) -> str:
    """The largest of some sizes, with the name of what has it."""
    size, name = max(sizes, default=(0, "none"))
    return f"{size} ({name})"


# ---------------------------------------------------------------- the table


def figures(root: Path) -> dict[str, str]:
    """{what is counted: the figure}, in the table's order."""
    modules = modules_of(root)
    ours = [module for module in modules if module.folder != "tests"]
    documents = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    words = sum(len(path.read_text("utf-8").split()) for path in documents if path.exists())
    lines = [line for module in modules for line in module.text.splitlines()]
    return {
        **_drawing(modules),
        **{
            f"lines of code: {folder}": f"{sum(map(code_lines, _of(folder, modules))):,}"
            for folder in FOLDERS
        },
        f"lines over {COLUMNS} columns": str(sum(len(line) > COLUMNS for line in lines)),
        **_functions(modules, ours),
        "late imports": str(sum(late for module in ours for _, late in imports(module.tree))),
        "public functions without type hints": str(sum(len(unhinted(each)) for each in ours)),
        "words in README and docs/": f"{words:,}",
    }


def _of(folder: str, modules: Iterable[Module]) -> list[Module]:
    return [module for module in modules if module.folder == folder]


def _drawing(modules: list[Module]) -> dict[str, str]:
    """The figures of the import graph."""
    drawn = arrows(modules)
    round_trips = circles(drawn)
    back_up = {
        arrow
        for arrow, late in drawn.items()
        if late and any(circle.issuperset(arrow) for circle in round_trips)
    }
    inner = ", ".join(" and ".join(sorted(circle)) for circle in sorted(round_trips, key=min))
    return {
        "rooms": str(len({room for arrow in drawn for room in arrow})),
        "floors": str(floors(drawn.keys() - back_up)),
        "arrows": str(len(drawn)),
        "arrows that run back up": str(len(back_up)),
        "circles": str(len(round_trips)) + (f" ({inner})" if inner else ""),
    }


def _functions(modules: list[Module], ours: list[Module]) -> dict[str, str]:
    """The figures of length."""
    public = dict(offered(modules))
    others = [
        (len(parameters(function)), f"{module.name}.{function.name}")
        for module in ours
        for function in module.functions
        if function not in public.values()
    ]
    return {
        "longest function": longest(
            (function.end_lineno - function.lineno + 1, f"{module.name}.{function.name}")
            for module in modules
            for function in module.functions
        ),
        "longest parameter list": longest(others),
        "longest parameter list of keyhole's public names": longest(
            (len(parameters(function)), name) for name, function in public.items()
        ),
    }


def table(trees: list[Path]) -> str:
    """The figures of some trees, as a Markdown table."""
    columns = [figures(tree) for tree in trees]
    lines = [
        "| | " + " | ".join(tree.resolve().name for tree in trees) + " |",
        "|---|" + "---|" * len(trees),
    ]
    for name in columns[0]:
        lines.append(f"| {name} | " + " | ".join(column[name] for column in columns) + " |")
    return "\n".join(lines)


def main() -> None:
    print_anything()
    parser = argparse.ArgumentParser(prog="python -m bench.house", description="Figures of a tree.")
    here = Path(__file__).resolve().parent.parent
    parser.add_argument("folder", nargs="*", type=Path, help="a tree's root; this one unless told")
    print(table(parser.parse_args().folder or [here]))


if __name__ == "__main__":
    main()
