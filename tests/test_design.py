"""The architecture, executable: who may import whom, how long things may get, what is said once."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import keyhole
from keyhole.messages.en import CHECKS, FEEDBACK, PROBLEMS, SHOWN
from tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("keyhole", "autograder", "lecture")
ROOMS = (*PRODUCT, "bench", "tests")
LONGEST_FUNCTION, MOST_PARAMETERS, MOST_PARAMETERS_FOR_STUDENTS = 50, 8, 6

# The floors of the house, from the ground up. A module imports from its own room and from lower
# floors only. The longest name that fits a module is its room; "keyhole" is the flat library.
FLOORS = (
    ("keyhole.messages",),
    ("keyhole",),
    ("keyhole.notebooks",),
    ("keyhole.checking",),
    (
        "keyhole.editing",
        "keyhole.editing_many",
        "autograder.messages",
        "autograder.secret",
        "lecture.messages",
    ),
    ("keyhole.cli",),
    ("keyhole.__main__", "autograder.sandbox", "autograder.oracle", "autograder.result"),
    ("autograder.submissions", "autograder.hidden"),
    ("autograder.grade", "autograder.pages"),
    ("autograder.gradebook", "autograder.making"),
    ("autograder.running", "autograder.validity", "autograder.nbgrader_plugin", "lecture"),
    ("autograder.commands", "lecture.page"),
    ("autograder.cli", "lecture.__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules(*rooms):
    """Dotted name -> path of every module in the rooms."""
    paths = [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Dotted names of all that a file imports, late imports included."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows():
    """(module, module that it imports) within the product."""
    known = modules(*PRODUCT)
    for module, path in known.items():
        for name in imported(path):
            while name and name not in known:
                name = name.rpartition(".")[0]
            if name and name != module:
                yield module, name


def room_of(module):
    """The longest name of FLOORS that fits the module; KeyError where none does."""
    room = module
    while room and room not in FLOOR:
        room = room.rpartition(".")[0]
    if not room:
        raise KeyError(f"{module} belongs to no room: give it a floor")
    return room


def functions(*rooms):
    """(place, node) of every function and method in the rooms."""
    for path in modules(*rooms).values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def parameters(node):
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


# ---------------------------------------------------------------- imports


def test_no_arrow_runs_up():
    up = [
        f"{module} imports {name}"
        for module, name in arrows()
        if room_of(module) != room_of(name) and FLOOR[room_of(module)] <= FLOOR[room_of(name)]
    ]
    # keyhole/__init__.py hands out names of higher rooms lazily, by name: that is no import.
    assert not up


def test_the_design_page_shows_the_same_floors():
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    shown = re.findall(r"^\| (\d+) \| `([\w/]+?)(?:/|\.py)`", page, re.MULTILINE)
    assert [(int(floor), room.replace("/", ".")) for floor, room in shown] == [
        (floor, room) for room, floor in FLOOR.items()
    ]


def test_no_modules_import_one_another_in_a_circle():
    below = {module: set() for module in modules(*PRODUCT)}
    for module, name in arrows():
        below[module].add(name)
    # Take away what rests on nothing, again and again: what is left at the end rests on itself.
    while grounded := [module for module, names in below.items() if not names & below.keys()]:
        for module in grounded:
            del below[module]
    assert not below


def test_the_library_does_not_know_the_staff():
    for path in modules("keyhole").values():
        assert not [
            name
            for name in imported(path)
            if name.startswith(("autograder", "lecture", "bench", "tests"))
        ]


def test_the_sandbox_knows_nothing_that_is_secret():
    secret = [
        f"autograder.{room}"
        for room in ("oracle", "hidden", "reference", "grade", "secret", "validity")
    ]
    for path in modules("autograder/sandbox").values():
        assert not [name for name in imported(path) if name.startswith(tuple(secret))], path


def test_the_library_prints_only_in_its_command_line():
    for path in modules("keyhole").values():
        if path.name != "cli.py":
            calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
            assert not [call for call in calls if getattr(call.func, "id", "") == "print"], path


# ---------------------------------------------------------------- sizes


def test_no_function_is_long():
    long = [
        place
        for place, node in functions(*ROOMS)
        if node.end_lineno - node.lineno >= LONGEST_FUNCTION
    ]
    assert not long


def test_no_parameter_list_is_long():
    long = [
        place
        for place, node in functions(*PRODUCT, "bench")
        if len(parameters(node)) > MOST_PARAMETERS
    ]
    assert not long


def test_students_meet_short_parameter_lists():
    long = [
        place
        for place, node in functions("keyhole")
        if node.name in keyhole.__all__ and len(parameters(node)) > MOST_PARAMETERS_FOR_STUDENTS
    ]
    assert not long


def test_public_functions_have_type_hints():
    bare = []
    for path in modules(*PRODUCT).values():
        if "catalogue" in path.parts:
            continue
        for node in tree_of(path).body:
            inside = node.body if isinstance(node, ast.ClassDef) else [node]
            for each in inside:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                    hinted = [
                        argument.annotation
                        for argument in parameters(each)
                        if argument.arg not in ("self", "cls")
                    ]
                    if each.returns is None or None in hinted:
                        bare.append(f"{path.relative_to(ROOT)}:{each.lineno} {each.name}")
    assert not bare


# ---------------------------------------------------------------- names


def test_nothing_is_unused():
    """Every function and class of the product is named somewhere besides its definition."""
    suffixes = ("*.py", "*.ipynb", "*.toml", "Makefile")
    texts = [
        path.read_text("utf-8")
        for room in (*ROOMS, "solutions")
        for suffix in suffixes
        for path in (ROOT / room).rglob(suffix)
    ]
    texts += [
        (ROOT / file).read_text("utf-8")
        for file in ("Makefile", "nbgrader_config.py", "pyproject.toml")
    ]
    words = defaultdict(int)
    for text in texts:
        for word in re.findall(r"\w+", text):
            words[word] += 1
    unused = []
    for path in modules(*PRODUCT).values():
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef)
                and words[node.name] < 2
                and not node.name.startswith("__")
            ):
                unused.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not unused


def test_no_class_has_the_name_of_another():
    places = defaultdict(list)
    for path in modules(*PRODUCT).values():
        for node in tree_of(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert not {name: found for name, found in places.items() if len(found) > 1}


# ---------------------------------------------------------------- sentences


def test_every_sentence_is_used_and_every_used_one_is_there():
    sources = "".join(
        path.read_text(encoding="utf-8")
        for path in modules(*PRODUCT).values()
        if path.parent.name != "messages"
    )
    for speaker, table in (("feedback", FEEDBACK), ("problem", PROBLEMS), ("shown", SHOWN)):
        assert set(re.findall(rf"""\b{speaker}\(\s*["'](\w+)["']""", sources)) <= set(table)
        assert not [
            name for name in table if f'"{name}"' not in sources and f"'{name}'" not in sources
        ]
    assert CHECKS


def test_the_test_files_that_begin_exist():
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []
