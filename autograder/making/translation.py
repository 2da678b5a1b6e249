"""The notebooks in other languages: a file of translated cells beside each solution.

`solutions/model_editing/zh-TW/1_measure.md` holds one part for each cell, under a line

    <!-- ID HASH -->

ID is the cell's. HASH tells from which original the part was made: when the words of the original
change, the part is behind, and the cell stays English until somebody translates it anew.

- The part of a Markdown cell is its text.
- The part of a code cell is a block of pairs, as a diff shows them: what stands there in English
  (`-`), and what shall stand there instead (`+`). The code itself is not repeated. Only comments,
  docstrings and printed words may change; anything else is refused.
"""

import argparse
import ast
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from keyhole.errors import KeyholeError
from keyhole.notebooks.definitions import grade_id
from keyhole.terminal import print_anything

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = "model_editing"
# By language, the cell that stands before the first import of the notebook.
LANGUAGE_CELLS = {
    "zh-TW": (
        "from keyhole import messages\n\n"
        'messages.use("zh-TW")           # 檢查和圖都用中文；想看英文就改成 "en"'
    )
}
LANGUAGE_CELL, FIRST_CELL = "language", "setup"
HEAD = re.compile(r"^<!-- ([\w-]+) ([0-9a-f]{8}) -->$", re.MULTILINE)
BLOCK = re.compile(r"\A```diff\n(.*)\n```\Z", re.DOTALL)
WIDTH = re.compile(r"f'[<>^]?\d+'")
# Strings in these places are read by code, not by people.
READ_BY_CODE = {"fact_from", "functions_of", "open", "save_file"}


@dataclass(frozen=True)
class Part:
    """The translation of one cell: its text or its block of pairs, and what it was made from."""

    made_from: str
    text: str

    def pairs(self) -> list[tuple[str, str]]:
        """[(English, translation)] of a code cell. Raises ValueError for another form."""
        if not self.text:
            return []
        if not (block := BLOCK.match(self.text)):
            raise ValueError("it is not one block ```diff")
        pairs = []
        for lines in re.findall(r"((?:^-.*\n)+)((?:^\+.*\n?)+)|(.+\n?)", block[1] + "\n", re.M):
            if lines[2]:
                raise ValueError(f"{lines[2].strip()!r} belongs to no pair of - and +")
            pairs.append(tuple("\n".join(line[1:] for line in side.splitlines()) for side in lines))
        return [(english, other) for english, other, *_ in pairs]


@dataclass
class State:
    """How far a translation is: ids of cells. All empty where it is in step."""

    missing: list[str] = field(default_factory=list)  # cells with words, but without a part
    behind: list[str] = field(default_factory=list)  # the original's words have changed since
    unknown: list[str] = field(default_factory=list)  # parts without a cell

    def __bool__(self) -> bool:
        return bool(self.missing or self.behind or self.unknown)

    def __str__(self) -> str:
        named = [(name, ", ".join(cells)) for name, cells in vars(self).items() if cells]
        return "; ".join(f"{name}: {cells}" for name, cells in named) or "in step"


# ---------------------------------------------------------------- words and code


def fingerprint(cell: nbformat.NotebookNode) -> str:
    """The hash of a cell's words, however they are wrapped: "" where it has none."""
    if cell.cell_type == "markdown":
        words = [cell.source]
    else:
        words = [*_comments(_python(cell.source)), *_strings(_python(cell.source))]
    words = " ".join(" ".join(words).split())
    return hashlib.sha256(words.encode()).hexdigest()[:8] if words else ""


def _python(source):
    """A cell as Python: IPython's commands become calls."""
    return TransformerManager().transform_cell(source)


def _comments(source):
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def _strings(source):
    return [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def code_of(source: str, graded: bool = False) -> object:
    """The code of a cell, without its comments, docstrings and printed words: for comparing.

    In a graded cell all strings but docstrings belong to the code.
    """
    return _without_words(ast.parse(_python(source)), graded)


def _without_words(node, graded):
    """A syntax tree as nested lists, without what people read."""
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return "a docstring"
        case ast.Compare():
            return ast.dump(node)
        case ast.Call() if ast.unparse(node.func) in READ_BY_CODE:
            return ast.dump(node)
        case ast.Subscript() if not isinstance(node.slice, ast.JoinedStr):
            return [_without_words(node.value, graded), ast.dump(node.slice)]
        case ast.Constant(value=str()) if not graded:
            return "words"
        case ast.JoinedStr() if not graded:  # languages order words, and so gaps, differently
            gaps = [each for each in node.values if isinstance(each, ast.FormattedValue)]
            return sorted(repr(_without_words(each, graded)) for each in gaps)
        case ast.FormattedValue() if not graded:
            form = ast.unparse(node.format_spec) if node.format_spec else ""
            form = "" if WIDTH.fullmatch(form) else form  # other words take other room
            return [_without_words(node.value, graded), node.conversion, form]
        case ast.AST():
            fields = [_without_words(value, graded) for _, value in ast.iter_fields(node)]
            return [type(node).__name__, *fields]
        case list():
            return [_without_words(each, graded) for each in node]
    return node


# ---------------------------------------------------------------- translating


def parts_of(path: Path) -> dict[str, Part]:
    """The parts of a file of translated cells, by cell id. Raises KeyholeError."""
    _, *pieces = HEAD.split(path.read_text("utf-8"))
    ids = pieces[::3]
    if len(set(ids)) < len(ids):
        raise KeyholeError(f"{path}: a cell stands there twice.")
    return {
        cell: Part(made_from, text.strip())
        for cell, made_from, text in zip(ids, pieces[1::3], pieces[2::3], strict=True)
    }


def state_of(solution: nbformat.NotebookNode, parts: Mapping[str, Part]) -> State:
    """Which cells of a solution notebook are not translated, or no longer."""
    state, ids = State(), [cell.id for cell in solution.cells]
    for cell in solution.cells:
        words = fingerprint(cell)
        if cell.id in parts and parts[cell.id].made_from != words:
            state.behind.append(cell.id)
        elif cell.id not in parts and words:
            state.missing.append(cell.id)
    state.unknown = [cell for cell in parts if cell not in ids]
    return state


def translated(
    solution: nbformat.NotebookNode, parts: Mapping[str, Part], language: str
) -> nbformat.NotebookNode:
    """A solution notebook in another language.

    Cells whose part is missing or behind stay English. Raises KeyholeError where a part would
    change code.
    """
    behind, made = state_of(solution, parts).behind, nbformat.from_dict(solution)
    for cell in made.cells:
        if cell.id in parts and cell.id not in behind:
            part = parts[cell.id]
            cell.source = _in_other_words(cell, part) if cell.cell_type == "code" else part.text
    [at] = [place for place, cell in enumerate(made.cells) if cell.id == FIRST_CELL]
    made.cells.insert(at, nbformat.v4.new_code_cell(LANGUAGE_CELLS[language], id=LANGUAGE_CELL))
    return made


def _in_other_words(cell, part):
    """The source of a code cell with the pairs of its part put in. Raises KeyholeError."""
    try:
        words = dict(part.pairs())
    except ValueError as error:
        raise KeyholeError(f"the translation of {cell.id}: {error}.") from None
    if unused := [english for english in words if english not in cell.source]:
        raise KeyholeError(f"the translation of {cell.id}: the cell has no {unused[0]!r}.")
    if not words:
        return cell.source
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    made = pattern.sub(lambda found: words[found[0]], cell.source)
    graded = grade_id(cell) is not None
    try:
        same = code_of(made, graded) == code_of(cell.source, graded)
    except SyntaxError as error:
        raise KeyholeError(f"the translation of {cell.id} is not Python: {error}.") from None
    if not same or made.count("###") != cell.source.count("###"):
        raise KeyholeError(f"the translation of {cell.id} changes more than words.")
    return made


# ---------------------------------------------------------------- files


def files(language: str, root: Path = ROOT) -> Iterator[tuple[Path, Path]]:
    """Each solution notebook, and the file of its translated cells, which may not exist."""
    folder = root / "solutions" / ASSIGNMENT
    for path in sorted(folder.glob("*.ipynb")):
        yield path, folder / language / f"{path.stem}.md"


def read(language: str, root: Path = ROOT) -> Iterator[tuple[str, nbformat.NotebookNode, dict]]:
    """(name, solution notebook, parts) of each notebook. Raises KeyholeError."""
    for path, file in files(language, root):
        yield (
            path.stem,
            nbformat.read(path, as_version=4),
            parts_of(file) if file.exists() else {},
        )


def solutions(language: str, root: Path = ROOT) -> dict[str, nbformat.NotebookNode]:
    """The solution notebooks in another language, by name. Raises KeyholeError."""
    made = {}
    for name, solution, parts in read(language, root):
        try:
            made[name] = translated(solution, parts, language)
        except KeyholeError as problem:
            raise KeyholeError(f"{language}, {name}: {problem}") from None
    return made


def make(language: str, root: Path = ROOT) -> Path:
    """Release the notebooks in another language, as nbgrader releases the English ones.

    Returns their folder. Raises KeyholeError where a translation would change code, or where
    nbgrader fails.
    """
    release = root / "assignments" / language
    with tempfile.TemporaryDirectory() as source:
        Path(source, ASSIGNMENT).mkdir()
        for name, notebook in solutions(language, root).items():
            nbformat.write(notebook, Path(source, ASSIGNMENT, f"{name}.ipynb"))
        nbgrader = [sys.executable, "-m", "nbgrader", "generate_assignment", ASSIGNMENT]
        folders = {"source": source, "release": release}
        done = subprocess.run(
            [*nbgrader, "--force", "--no-db"]
            + [f"--CourseDirectory.{name}_directory={path}" for name, path in folders.items()],
            cwd=root,
            env={**os.environ, "KEYHOLE_LANG": language},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise KeyholeError(f"nbgrader released nothing: {done.stderr.strip()}")
    return release / ASSIGNMENT


def stamp(language: str, name: str, cells: Sequence[str], root: Path = ROOT) -> None:
    """Note that the parts of these cells (all, where none is named) fit the original as it is.

    Raises KeyholeError for a name that is not there.
    """
    found = {path.stem: (path, file) for path, file in files(language, root)}
    if name not in found or not found[name][1].exists():
        raise KeyholeError(f"no translation of a notebook {name!r} into {language}.")
    path, file = found[name]
    words = {cell.id: fingerprint(cell) for cell in nbformat.read(path, as_version=4).cells}
    text = file.read_text("utf-8")
    ids = [cell for cell, _ in HEAD.findall(text)]
    if absent := [cell for cell in cells or ids if cell not in words or cell not in ids]:
        raise KeyholeError(f"{name} has no cell or no translated cell {absent[0]!r}.")
    for cell in cells or ids:
        text = re.sub(rf"^<!-- {cell} \w+ -->$", f"<!-- {cell} {words[cell]} -->", text, flags=re.M)
    file.write_text(text, "utf-8")


def status(language: str, root: Path = ROOT) -> dict[str, State]:
    """How far each notebook's translation is."""
    return {name: state_of(solution, parts) for name, solution, parts in read(language, root)}


def main(arguments: Sequence[str]) -> int:
    """Make the translated notebooks, or tell how far the translations are."""
    print_anything()
    parser = argparse.ArgumentParser(prog="python -m autograder.making.translation")
    parser.add_argument("--status", action="store_true", help="only tell what is not translated")
    parser.add_argument(
        "--stamp",
        nargs="+",
        metavar=("NOTEBOOK", "CELL"),
        help="note that the translation of these cells, or of all, fits the original as it is now",
    )
    parser.add_argument("--lang", choices=LANGUAGE_CELLS, default="zh-TW")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.stamp:
            stamp(chosen.lang, chosen.stamp[0], chosen.stamp[1:])
        states = status(chosen.lang)
        for name, state in states.items():
            if state or chosen.status:
                print(f"{chosen.lang}, {name}: {state}", file=sys.stderr)
        if not (chosen.status or chosen.stamp):
            print(f"Made {make(chosen.lang)}")
    except KeyholeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return int(chosen.status and any(states.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
