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

from autograder.messages import sentence
from autograder.submissions.folder import BESIDE, Found, HandedIn, handed_in, time_lost
from keyhole.errors import KeyholeError
from keyhole.messages import listed, titled
from keyhole.notebooks.definitions import Definitions, Work, definitions, grade_id, read_mended
from keyhole.notebooks.file import file_called
from keyhole.text import one_line

MOST_CANDIDATES = 12  # notebooks that are looked at in search of one that is not where it belongs
MOST_SEARCHED, SEARCHED_MB = (
    20,
    512,
)  # that are read in search of all those of a submission, and their size together
MOST_NAMED = 6  # in one sentence
SCHEMA = 3  # of nbgrader's marks
NUMBERS = re.compile(r"(\d+)")
PYTHON = re.compile(r"(?:i?python[\d.]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Expected:
    """What is graded in a notebook: its functions, and the points of each test cell by its grade id."""

    functions: Collection[str]
    cells: Mapping[str, float] = field(default_factory=dict)

    @property
    def of_files(self) -> bool:
        """Is there a test cell of no function, for what is handed in beside the notebook?"""
        return any(name.removeprefix("test_") not in self.functions for name in self.cells)


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
def read_submission(
    folder, assignment_notebooks: Mapping[str, Expected]
) -> Iterator[dict[str, Submitted]]:
    """The notebooks of one student's folder SUBMITTED/<student>/<assignment>; what was unpacked of it is there inside the `with`.

    `assignment_notebooks` maps a notebook's name (without .ipynb) to what is graded in it. Nothing that a
    student can put into the folder raises here, and no link in it is followed: it could point at the staff's files.
    """
    beside = BESIDE if any(expected.of_files for expected in assignment_notebooks.values()) else ()
    with handed_in(
        Path(folder), [*(f"{name}.ipynb" for name in assignment_notebooks), *beside]
    ) as handed:
        reader = _Reader(
            {
                function
                for expected in assignment_notebooks.values()
                for function in expected.functions
            }
        )
        on_time = [sentence("time_unreadable")] if time_lost(handed.folder) else []
        yield {
            name: _with_notes(_chosen(handed, reader, name, expected), *on_time)
            for name, expected in assignment_notebooks.items()
        }


class _Reader:
    """The notebooks of one submission: each is read once, whatever it is held to be, and what is read of them all together is bounded."""

    def __init__(self, code: Collection[str]):
        self._code, self._work, self._read = code, Work(), {}
        self._left, self._room = MOST_SEARCHED, SEARCHED_MB * 2**20

    def read(self, path: Path) -> tuple:
        """The notebook in a file, sentences on what was mended, and its definitions. Raises KeyholeError."""
        if path not in self._read:
            try:
                notebook, notes = read_mended(path, follow_links=False)
                self._read[path] = notebook, notes, definitions(notebook, self._code, self._work)
            except (KeyholeError, OSError) as error:
                self._read[path] = one_line(
                    error
                )  # the words alone: an error holds on to the whole file
        if isinstance(self._read[path], str):
            raise KeyholeError(self._read[path])
        return self._read[path]

    def has_room(self, path: Path) -> bool:
        """May this file be read in search of a notebook? One that was read already costs nothing."""
        if path not in self._read:
            size = path.lstat().st_size
            if not self._left or size > self._room:
                return False
            self._left, self._room = self._left - 1, self._room - size
        return True


def _chosen(handed: HandedIn, reader: _Reader, name: str, expected: Expected) -> Submitted:
    """The notebook that counts: the one of that name if there is anything in it, else the fullest of those that clearly are it."""
    path = handed.folder / f"{name}.ipynb"
    own = (
        _read(Found(path, path.name), handed, reader, name, expected)
        if os.path.lexists(path) and not handed.folder.is_symlink()
        else None
    )
    rest = sorted(
        (file for file in handed.notebooks if file.path != path),
        key=lambda file: (not _alike(file, name), file.checkpoint),
    )
    if own and own.filled:
        more = [file.shown for file in rest if _alike(file, name) and not file.checkpoint]
        return _with_notes(
            own, *([sentence("also_there", file=path.name, others=named(more))] if more else [])
        )
    looked_at = [
        (file, _read(file, handed, reader, name, expected))
        for file in rest[:MOST_CANDIDATES]
        if reader.has_room(file.path)
    ]
    missed = [sentence("not_all_read", file=path.name)] if len(looked_at) < len(rest) else []
    others = [(file, read) for file, read in looked_at if read.definitions]
    if not others or own and own.definitions and not any(read.filled for _, read in others):
        return _with_notes(
            own or Submitted(name, handed.folder_of(None), reason=_why_none(handed, path.name)),
            *missed,
        )
    file, best = max(
        others, key=lambda pair: (not pair[0].checkpoint, pair[1].filled, _natural(pair[0].shown))
    )
    tied = [
        other.shown
        for other, read in others
        if other is not file and (other.checkpoint, read.filled) == (file.checkpoint, best.filled)
    ]
    other = one_line(file.shown, 120)
    notes = (
        [sentence("zip_opened", zip=one_line(zip, 80))] if (zip := handed.zip_of(file.path)) else []
    )
    if own:
        notes += [
            own.reason or sentence("still_blank", file=path.name),
            sentence("taken_instead", other=other),
        ]
    elif len(others) > 1 and not tied:
        notes.append(sentence("found_among", file=path.name, other=other, count=len(others)))
    elif tied or not zip or file.path.name != path.name:
        notes.append(sentence("found", file=path.name, other=other))
    if tied:
        notes.append(sentence("found_tied", others=named(tied)))
    return _with_notes(best, *notes, *missed)


def _alike(file: Found, name: str) -> bool:
    return name.casefold() in file.path.name.casefold()


def _natural(text: str) -> list:
    """A key by which `a (10)` comes after `a (9)`."""
    return [
        (int(part[:9]), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in NUMBERS.split(text)
    ]


def _with_notes(read: Submitted, *notes: str) -> Submitted:
    return replace(read, notes=(*notes, *read.notes))


def _why_none(handed: HandedIn, file: str) -> str:
    if handed.problems:
        return handed.problems[0]
    stem = file.removesuffix(".ipynb")
    for other in handed.others:
        if (
            other.rpartition("/")[2].startswith(f"{stem}.")
            and other not in handed.closed
            and not other.endswith(".zip")
        ):
            return sentence("other_form", file=file, other=one_line(other, 80))
    if handed.closed:
        return sentence("archive_closed", file=file, archives=named(handed.closed))
    if there := [found.shown for found in handed.notebooks]:
        return sentence("only_others", file=file, others=named(there))
    return (
        sentence("only_these", file=file, others=named(handed.others))
        if handed.others
        else sentence("none_at_all", file=file)
    )


def named(names: Collection[str], numbers: Mapping[str, int] | None = None) -> str:
    """Some names in a sentence, as the student wrote them; where there are `numbers`, with those of the cells in which they are."""
    shown = [f"`{one_line(name, 60).replace('`', '')}`" for name in list(names)[:MOST_NAMED]]
    if numbers:
        shown = [
            sentence("placed", cell=cell, number=numbers[name])
            for cell, name in zip(shown, names, strict=False)
        ]
    return listed(shown, more=len(names) > MOST_NAMED)


def _on_files(file: Found, folder: Path, handed: HandedIn) -> list[str]:
    """Sentences on what is handed in beside a notebook: where in `folder` it is taken from another place or name, and where a zip may hold it that cannot be opened."""
    there = {name: path.name for name in BESIDE if (path := file_called(folder, name))}
    if not there:
        return list(handed.problems)
    renamed = [
        sentence("file_renamed", file=name, other=one_line(other, 80))
        for name, other in there.items()
        if other != name
    ]
    zip = handed.zip_of(folder)
    if folder == file.path.parent or zip and zip == handed.zip_of(file.path):
        return renamed
    return [
        sentence(
            "files_elsewhere",
            file=one_line(file.path.name, 80),
            place=one_line(zip or folder.name, 80),
            files=named(there),
        ),
        *renamed,
    ]


def _read(
    file: Found, handed: HandedIn, reader: _Reader, name: str, expected: Expected
) -> Submitted:
    """The notebook in a file, looked at as notebook `name`."""
    folder = handed.folder_of(file.path)
    try:
        notebook, notes, found = reader.read(file.path)
    except KeyholeError as error:
        return Submitted(name, folder, reason=str(error))
    if expected.of_files:
        notes = (*notes, *_on_files(file, folder, handed))
    ids, more = surveyed(notebook, found, expected, file.path.name)
    graded = frozenset((*expected.functions, *expected.cells))
    defined = [
        function
        for function in expected.functions
        if function in found.functions or function in found.broken
    ]
    # Elsewhere a function more or less may be a helper that has the same name.
    if graded.isdisjoint(ids) and not (
        defined
        and (file.path.name == f"{name}.ipynb" or 2 * len(defined) >= len(expected.functions))
    ):
        return Submitted(
            name, folder, reason=sentence("not_this", file=one_line(file.path.name, 80))
        )
    filled = len(set(expected.functions) & (found.functions - found.untouched))
    on_cells = (titled(one_line(file.path.name, 80), note) for note in found.notes)
    return Submitted(
        name,
        folder,
        found,
        None,
        tuple(notebook.cells),
        ids,
        (*notes, *more, *on_cells),
        filled,
        graded,
    )


def surveyed(
    notebook, found: Definitions, expected: Expected, file: str
) -> tuple[tuple, list[str]]:
    """The graded cell that each cell of a notebook is, None for the others and for copies that do not count; and a sentence for each kind of damage."""
    cells, file = notebook.cells, one_line(file, 80)
    wanted = {*expected.functions, *expected.cells}
    marked = [grade_id(cell) for cell in cells]
    ids = [
        name or _recognised(number, cell, expected, found, marked)
        for number, (name, cell) in enumerate(zip(marked, cells, strict=True), start=1)
    ]
    where = {}
    for number, name in enumerate(ids, start=1):
        if name:
            where.setdefault(name, []).append(number)
    counts = {
        name: _counting(numbers, cells, found.cells.get(name, ()))
        for name, numbers in where.items()
    }
    ids = [
        name if name and counts[name] == number else None
        for number, name in enumerate(ids, start=1)
    ]
    there = [name for name in where if name in wanted]
    defined = {name: found.cells[name][-1] for name in expected.functions if name in found.cells}

    twice = [name for name in there if len(where[name]) > 1]
    again = [name for name in defined if len(found.cells[name]) > 1 and name not in twice]
    elsewhere = [
        name
        for name in defined
        if defined[name] not in where.get(name, ()) and name not in (*twice, *again)
    ]
    said = {
        "cells_recovered": [name for name in there if name not in marked],
        "cells_twice": twice,
        "defined_twice": again,
        "functions_elsewhere": elsewhere,
        "cells_missing": [
            name
            for name in (*expected.functions, *expected.cells)
            if name not in where and name not in defined and name not in found.dropped
        ],
        "kinds_changed": [name for name in there if cells[counts[name] - 1]["cell_type"] != "code"],
        "marks_changed": [
            name
            for name in there
            if name in marked and _changed(_mark(cells[counts[name] - 1]), name, expected)
        ],
    }
    notes = []
    if not wanted & set(marked) and (said["cells_recovered"] or elsewhere):
        notes.append(sentence("marks_lost", file=file))
        said = {kind: said[kind] for kind in ("cells_twice", "defined_twice")}
    numbers = {
        "cells_twice": counts | defined,
        "defined_twice": defined,
        "functions_elsewhere": defined,
    }
    notes += [
        sentence(kind, file=file, cells=named(names, numbers.get(kind)))
        for kind, names in said.items()
        if names
    ]
    once = [name for name in ids if name in wanted and name not in twice]
    if any(_reordered(once, handout) for handout in (expected.functions, expected.cells)):
        notes.append(sentence("cells_reordered", file=file))
    if not twice and _repeated([cell["id"] for cell in cells if isinstance(cell.get("id"), str)]):
        notes.append(sentence("ids_repeated", file=file))
    if not PYTHON.fullmatch(language := _language(notebook)):
        notes.append(sentence("kernel", file=file, language=one_line(language, 40)))
    return (
        tuple(
            name if name in wanted or name and name == old else None
            for name, old in zip(ids, marked, strict=True)
        ),
        notes,
    )


def _counting(numbers: Collection[int], cells, defining: Collection[int]) -> int:
    """The one of some copies of a cell that counts: the last whose definition does, else the last that is filled in, else the last."""
    defining = [number for number in numbers if number in defining]
    filled = [number for number in numbers if not _blank(cells[number - 1]["source"])]
    return (defining or filled or numbers)[-1]


def _repeated(names: list) -> bool:
    return len(set(names)) < len(names)


def _reordered(names: Collection[str], handout: Collection[str]) -> bool:
    """Are those of the `handout` that are among the names in another order there?"""
    return [name for name in names if name in handout] != [
        name for name in handout if name in names
    ]


def _recognised(
    number: int, cell, expected: Expected, found: Definitions, taken: Collection[str]
) -> str | None:
    """The graded cell that an unmarked cell is: by the function that it defines, by being that function's check, or by the id that the kit's cells have."""
    if cell["cell_type"] != "code":
        return None
    for name in (*expected.functions, *expected.cells):
        if name in taken:
            continue
        if name in expected.functions:
            if number in found.cells.get(name, ()):
                return name
        elif cell["source"].strip() == f"check({name.removeprefix('test_')})" or cell.get(
            "id"
        ) == name.replace("_", "-"):
            return name
    return None


def _mark(cell) -> dict:
    mark = cell["metadata"].get("nbgrader")
    return mark if isinstance(mark, dict) else {}


def _blank(source: str) -> bool:
    return "raise NotImplementedError" in source or source.strip() in ("", "YOUR ANSWER HERE")


def _changed(mark: dict, name: str, expected: Expected) -> bool:
    """Does a mark say other than the handout's?"""
    due = {
        "schema_version": SCHEMA,
        "grade": name in expected.cells,
        "solution": name in expected.functions,
    }
    if name in expected.cells:
        due["points"] = expected.cells[name]
    return any(key in mark and mark[key] != value for key, value in due.items())


def _language(notebook) -> str:
    """The language that a notebook says it is in."""
    for entry, key in (
        ("language_info", "name"),
        ("kernelspec", "language"),
        ("kernelspec", "name"),
    ):
        about = notebook.metadata.get(entry)
        if isinstance(about, dict) and isinstance(about.get(key), str):
            return about[key]
    return ""
