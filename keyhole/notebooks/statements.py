"""What a statement of a student's does, read off its syntax tree: it is never run here."""

import ast
from collections.abc import Collection, Iterator

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)
ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
TRIES = (ast.Try, ast.TryStar)
BLOCKS = (
    *(ast.If, *TRIES, ast.With, ast.AsyncWith),
    *(ast.For, ast.AsyncFor, ast.While, ast.Match),
)
# Methods that change what they are called on. (torch's end in "_".)
CHANGING = frozenset(
    "append extend insert remove pop popleft popitem appendleft extendleft rotate clear update "
    "setdefault add discard sort reverse fill difference_update intersection_update "
    "symmetric_difference_update move_to_end".split()
)
# What notebooks do with a value to look at it.
LOOKING = frozenset("print pprint display check check_files compare len repr help type".split())


def outside_bodies(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are evaluated when a top-level statement runs.

    The bodies of functions and lambdas are not.
    """
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


def bound(statement: ast.AST) -> Iterator[str]:
    """Names that a top-level statement binds."""
    for node in outside_bodies(statement):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                yield name
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.alias(name=name, asname=asname) if name != "*":
                yield asname or name.split(".")[0]


def changed(statement: ast.AST) -> Iterator[str]:
    """Names of which a top-level statement binds, deletes or alters what stands behind them.

    A bare call may alter what it is given, unless it only shows it.
    """
    for node in outside_bodies(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case (
                ast.Attribute(ctx=ast.Store() | ast.Del())
                | ast.Subscript(ctx=ast.Store() | ast.Del())
            ):
                yield from root(node)
            case ast.Call(func=ast.Attribute(attr=method) as function) if (
                method in CHANGING or method.endswith("_") and not method.endswith("__")
            ):
                yield from root(function)
            case ast.Expr(value=ast.Call(func=function, args=given)):
                if not (isinstance(function, ast.Name) and function.id in LOOKING):
                    yield from (each.id for each in given if isinstance(each, ast.Name))


def root(node: ast.AST) -> Iterator[str]:
    """The name at the beginning of `name.x[1].y`, if there is one."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    if isinstance(node, ast.Name):
        yield node.id


def used(statement: ast.AST) -> frozenset[str]:
    """Names of the notebook that a definition looks up, in its body too."""
    loaded, own, shared = set(), set(), set()
    for node in ast.walk(statement):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                loaded.add(name)
            case ast.Name(id=name) | ast.arg(arg=name) | ast.ExceptHandler(name=str(name)):
                own.add(name)
            case ast.alias(name=name, asname=asname):
                own.add(asname or name.split(".")[0])
            case ast.Global(names=names):
                shared.update(names)
    return frozenset(loaded - own | shared)


def imports(statement: ast.AST) -> list[ast.Import | ast.ImportFrom]:
    """The imports of a top-level statement that stand outside of functions, in their order."""
    found = [node for node in outside_bodies(statement) if isinstance(node, IMPORTS)]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def suites(block: ast.AST) -> list[list[ast.stmt]]:
    """The lists of statements of an `if` or `try`, in their order."""
    handlers = [handler.body for handler in getattr(block, "handlers", ())]
    return [block.body, *handlers, block.orelse, getattr(block, "finalbody", [])]


def only_names(target: ast.AST) -> bool:
    """Is this a name, or a tuple or list of names?"""
    if isinstance(target, (ast.Tuple, ast.List)):
        return all(isinstance(element, ast.Name) for element in target.elts)
    return isinstance(target, ast.Name)


def is_idle(node: ast.AST) -> bool:
    """Does this statement do nothing but show something?"""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=ast.Name(id=name))):
            return name in LOOKING
    return False


def is_stub(node: ast.AST) -> bool:
    """Is this a function whose body is `raise NotImplementedError(...)` and at most a docstring?

    One with a decorator is not: the decorator may do the work.
    """
    if not isinstance(node, FUNCTIONS) or node.decorator_list:
        return False
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise):
        return False
    raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def text(node: ast.stmt, lines: list[bytes], cut: Collection[ast.stmt] = ()) -> str:
    """The student's own text of a statement, decorators included; `pass` for each of `cut`.

    `lines` are those of the cell, in UTF-8, since the tree counts columns in bytes. `cut` are
    statements inside, in their order.
    """
    row, column = _begin(node)
    pieces = []
    for part in cut:
        begin = _begin(part)
        pieces += [_between(lines, (row, column), begin), b"pass"]
        row, column = part.end_lineno - 1, part.end_col_offset
    pieces.append(_between(lines, (row, column), (node.end_lineno - 1, node.end_col_offset)))
    return b"".join(pieces).decode()


def _begin(node: ast.stmt) -> tuple[int, int]:
    """Line and column, from 0, at which a statement begins, with the @ of its decorators."""
    if decorators := getattr(node, "decorator_list", []):
        # The node itself begins at its "def" or "class", which stands below the @.
        return decorators[0].lineno - 1, node.col_offset
    return node.lineno - 1, node.col_offset


def _between(lines, begin, end) -> bytes:
    """The text from `begin` to `end`, each a line and a column."""
    (first, start), (last, stop) = begin, end
    # A line may hold thousands of statements, so not even a part of it is copied twice.
    if first == last:
        return lines[first][start:stop]
    return b"\n".join([lines[first][start:], *lines[first + 1 : last], lines[last][:stop]])
