"""What one student handed in: each notebook's cells and definitions, or one sentence on why there are none.

A notebook is looked for as a person would: where it belongs, else under another name, a folder deeper or in a zip, by what is in it.
Whatever was taken in place of something else, or mended in it, is said in one sentence.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from autograder.handed_in import Found, HandedIn, handed_in
from autograder.messages import sentence
from keyhole.errors import KeyholeError
from keyhole.messages import listed, titled
from keyhole.notebook import Definitions, definitions, grade_id, read_mended
from keyhole.text import one_line

MOST_CANDIDATES = 12    # notebooks that are read in search of one that is not where it belongs
MOST_NAMED = 6          # in one sentence
SCHEMA = 3              # of nbgrader's marks
NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Expected:
    """What is graded in a notebook: its functions, and the points of each test cell by its grade id."""

    functions: Collection[str]
    cells: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Submitted:
    """One notebook of a submission. Either `definitions` is there, or `reason` says in one sentence why not."""

    name: str
    folder: Path  # of the files handed in beside it
    definitions: Definitions | None = None
    reason: str | None = None
    cells: tuple = ()  # as read_mended gives them
    ids: tuple = ()  # of the cells, each once where it counts, None elsewhere
    notes: tuple[str, ...] = ()  # one sentence each: what was skipped or mended
    filled: int = 0  # graded functions that are no blanks any more
    graded: frozenset[str] = frozenset()  # ids of the cells that the hidden tests are about


@contextmanager
def read_submission(folder, assignment_notebooks: Mapping[str, Expected]) -> Iterator[dict[str, Submitted]]:
    """The notebooks of one student's folder SUBMITTED/<student>/<assignment>; what was unpacked of it is there inside the `with`.

    `assignment_notebooks` maps a notebook's name (without .ipynb) to what is graded in it. Nothing that a
    student can put into the folder raises here, and no link in it is followed: it could point at the staff's files.
    """
    with handed_in(Path(folder), [f"{name}.ipynb" for name in assignment_notebooks]) as handed:
        yield {name: _chosen(handed, name, expected) for name, expected in assignment_notebooks.items()}


def _chosen(handed: HandedIn, name: str, expected: Expected) -> Submitted:
    """The notebook that counts: the one of that name if there is anything in it, else the fullest of those that clearly are it."""
    path = handed.folder / f"{name}.ipynb"
    own = _read(Found(path, path.name), handed, name, expected) if os.path.lexists(path) and not handed.folder.is_symlink() else None
    rest = sorted((file for file in handed.notebooks if file.path != path), key=lambda file: (not _alike(file, name), file.checkpoint))
    if own and own.filled:
        more = [file.shown for file in rest if _alike(file, name) and not file.checkpoint]
        return _with_notes(own, *([sentence("also_there", file=path.name, others=named(more))] if more else []))
    others = [(file, _read(file, handed, name, expected)) for file in rest[:MOST_CANDIDATES]]
    others = [(file, read) for file, read in others if read.definitions]
    if not others or own and own.definitions and not any(read.filled for _, read in others):
        return own or Submitted(name, handed.folder_of(None), reason=_why_none(handed, path.name))
    file, best = max(others, key=lambda pair: (not pair[0].checkpoint, pair[1].filled, _natural(pair[0].shown)))
    zips = [sentence("zip_opened", zip=one_line(zip, 80)) for zip in handed.opened if file.shown.startswith(f"{zip}/")]
    if own:
        why = own.reason or sentence("still_blank", file=path.name)
        return _with_notes(best, *zips, why, sentence("taken_instead", other=one_line(file.shown, 120)))
    if zips and file.path.name == path.name:
        return _with_notes(best, *zips)
    found = "found" if len(others) == 1 else "found_among"
    return _with_notes(best, *zips, sentence(found, file=path.name, other=one_line(file.shown, 120), count=len(others)))


def _alike(file: Found, name: str) -> bool:
    return name.casefold() in file.path.name.casefold()


def _natural(text: str) -> list:
    """A key by which `a (10)` comes after `a (9)`."""
    return [(int(part[:9]), "") if part.isdecimal() and part.isascii() else (-1, part) for part in NUMBERS.split(text)]


def _with_notes(read: Submitted, *notes: str) -> Submitted:
    return replace(read, notes=(*notes, *read.notes))


def _why_none(handed: HandedIn, file: str) -> str:
    if handed.problems:
        return handed.problems[0]
    stem = file.removesuffix(".ipynb")
    for other in handed.others:
        if other.startswith(f"{stem}.") and not other.endswith(".zip"):
            return sentence("other_form", file=file, other=one_line(other, 80))
    there = [found.shown for found in handed.notebooks]
    return sentence("only_others", file=file, others=named(there)) if there else sentence("none_at_all", file=file)


def named(names: Collection[str]) -> str:
    """Some names in a sentence, as the student wrote them."""
    shown = [f"`{one_line(name, 60).replace('`', '')}`" for name in list(names)[:MOST_NAMED]]
    return listed(shown) + (" …" if len(names) > MOST_NAMED else "")


def _read(file: Found, handed: HandedIn, name: str, expected: Expected) -> Submitted:
    """The notebook in a file, looked at as notebook `name`."""
    folder = handed.folder_of(file.path)
    try:
        notebook, notes = read_mended(file.path, follow_links=False)
    except (KeyholeError, OSError) as error:
        return Submitted(name, folder, reason=one_line(error))
    found = definitions(notebook, code=expected.functions)
    ids, more = surveyed(notebook, found, expected, file.path.name)
    graded = frozenset((*expected.functions, *expected.cells))
    defined = [function for function in expected.functions if function in found.functions or function in found.broken]
    # Elsewhere a function more or less may be a helper that has the same name.
    if graded.isdisjoint(ids) and not (defined and (file.path.name == f"{name}.ipynb" or 2 * len(defined) >= len(expected.functions))):
        return Submitted(name, folder, reason=sentence("not_this", file=one_line(file.path.name, 80)))
    filled = len(set(expected.functions) & (found.functions - found.untouched))
    on_cells = (titled(one_line(file.path.name, 80), note) for note in found.notes)
    return Submitted(name, folder, found, None, tuple(notebook.cells), ids, (*notes, *more, *on_cells), filled, graded)


def surveyed(notebook, found: Definitions, expected: Expected, file: str) -> tuple[tuple, list[str]]:
    """The graded cell that each cell of a notebook is, None for the others and for copies that do not count; and a sentence for each kind of damage."""
    cells, file = notebook.cells, one_line(file, 80)
    wanted = {*expected.functions, *expected.cells}
    marked = [grade_id(cell) for cell in cells]
    said = {"cells_recovered": [], "cells_twice": [], "defined_twice": [], "functions_elsewhere": [], "cells_missing": [], "kinds_changed": [], "marks_changed": []}
    ids = [name or _recognised(cell, expected, marked) for name, cell in zip(marked, cells, strict=True)]
    said["cells_recovered"] = [new for new, old in zip(ids, marked, strict=True) if new and not old]
    where = {}
    for number, name in enumerate(ids):
        if name:
            where.setdefault(name, []).append(number)
    for name, numbers in where.items():
        filled = [number for number in numbers if not _blank(cells[number]["source"])]
        counts = (filled or numbers)[-1]
        for number in numbers:
            ids[number] = name if number == counts else None
        if name in wanted and len(numbers) > 1:
            said["cells_twice"].append(name)
        if name in wanted and cells[counts]["cell_type"] != "code":
            said["kinds_changed"].append(name)
        if name in wanted and name not in said["cells_recovered"] and _changed(_mark(cells[counts]), name, expected):
            said["marks_changed"].append(name)
    whole = [cell["source"] for cell in cells if cell["cell_type"] == "code" and not _blank(cell["source"])]
    for name in expected.functions:
        if name not in said["cells_twice"] and sum(_defines(source, name) for source in whole) > 1:
            said["defined_twice"].append(name)
    for name in [*expected.functions, *expected.cells]:
        if name not in where:
            said["functions_elsewhere" if name in found.functions or name in found.broken else "cells_missing"].append(name)
    notes = []
    if not wanted & set(marked) and (said["cells_recovered"] or said["functions_elsewhere"]):
        notes.append(sentence("marks_lost", file=file))
        said = {name: said[name] for name in ("cells_twice", "defined_twice")}
    notes += [sentence(name, file=file, cells=named(names)) for name, names in said.items() if names]
    if (language := _language(notebook)) not in ("", "python", "ipython"):
        notes.append(sentence("kernel", file=file, language=one_line(language, 40)))
    return tuple(name if name in wanted or name and name == old else None for name, old in zip(ids, marked, strict=True)), notes


def _recognised(cell, expected: Expected, taken: Collection[str]) -> str | None:
    """The graded cell that an unmarked cell is: by the function that it defines, by being that function's check, or by the id that the kit's cells have."""
    if cell["cell_type"] != "code":
        return None
    for name in (*expected.functions, *expected.cells):
        if name in taken:
            continue
        if name in expected.functions:
            if _defines(cell["source"], name):
                return name
        elif cell["source"].strip() == f"check({name.removeprefix('test_')})" or cell.get("id") == name.replace("_", "-"):
            return name
    return None


def _defines(source: str, function: str) -> bool:
    return re.search(rf"^def {re.escape(function)}\s*\(", source, re.MULTILINE) is not None


def _mark(cell) -> dict:
    mark = cell["metadata"].get("nbgrader")
    return mark if isinstance(mark, dict) else {}


def _blank(source: str) -> bool:
    return "raise NotImplementedError" in source or source.strip() in ("", "YOUR ANSWER HERE")


def _changed(mark: dict, name: str, expected: Expected) -> bool:
    """Does a mark say other than the handout's?"""
    due = {"schema_version": SCHEMA, "grade": name in expected.cells, "solution": name in expected.functions}
    if name in expected.cells:
        due["points"] = expected.cells[name]
    return any(key in mark and mark[key] != value for key, value in due.items())


def _language(notebook) -> str:
    """The language that a notebook says it is in, in small letters."""
    for entry, key in (("language_info", "name"), ("kernelspec", "language")):
        about = notebook.metadata.get(entry)
        if isinstance(about, dict) and isinstance(about.get(key), str):
            return about[key].lower()
    return ""
