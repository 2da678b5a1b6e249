"""Which cell of a submitted notebook is which graded cell, and what was damaged in its cells."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from autograder.messages import sentence
from keyhole.messages import Listing, Remark, listed
from keyhole.notebooks.definitions import Definitions, grade_id
from keyhole.text import one_line

MOST_NAMED = 6  # in one sentence
SCHEMA = 3  # of nbgrader's marks
PYTHON = re.compile(r"(?:i?python[\d.]*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """What is graded in a notebook: its functions, and the points of each test cell by grade id."""

    functions: Collection[str]
    cells: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The grade ids of all its cells, functions first."""
        return *self.functions, *self.cells

    @property
    def of_files(self) -> bool:
        """Is there a test cell of no function, for what is handed in beside the notebook?"""
        return any(name.removeprefix("test_") not in self.functions for name in self.cells)


class Survey:
    """The graded cells of a notebook. Cells are counted from 1, as in sentences for students."""

    def __init__(self, notebook, found: Definitions, expected: Plan):
        self._notebook, self._cells = notebook, notebook.cells
        self._found, self._expected = found, expected
        self._wanted = set(expected.names)
        self._marked = [grade_id(cell) for cell in self._cells]
        names = [
            name or self._recognised(number, cell)
            for number, (name, cell) in enumerate(
                zip(self._marked, self._cells, strict=True), start=1
            )
        ]
        # Name -> the numbers of its copies, and the number of the copy that counts.
        self._copies = {}
        for number, name in enumerate(names, start=1):
            if name:
                self._copies.setdefault(name, []).append(number)
        self._counts = {name: self._counting(name) for name in self._copies}
        self._ids = [
            name if name and self._counts[name] == number else None
            for number, name in enumerate(names, start=1)
        ]

    @property
    def ids(self) -> tuple[str | None, ...]:
        """The graded cell that each cell is; None for others and for copies that don't count."""
        return tuple(
            name if name in self._wanted or name and name == old else None
            for name, old in zip(self._ids, self._marked, strict=True)
        )

    def notes(self, file: str) -> list[Remark]:
        """A sentence for each kind of damage in the notebook `file`."""
        file, damages, notes = one_line(file, 80), self._damages(), []
        recovered = damages["cells_recovered"] or damages["functions_elsewhere"]
        if recovered and not self._wanted & set(self._marked):
            notes.append(sentence("marks_lost", file=file))
            damages = {kind: damages[kind] for kind in ("cells_twice", "defined_twice")}
        defined = self._defined()
        numbers = {
            "cells_twice": self._counts | defined,
            "defined_twice": defined,
            "functions_elsewhere": defined,
        }
        notes += [
            sentence(kind, file=file, cells=named(names, numbers.get(kind)))
            for kind, names in damages.items()
            if names
        ]
        if self._reordered():
            notes.append(sentence("cells_reordered", file=file))
        if not self._twice() and self._ids_repeated():
            notes.append(sentence("ids_repeated", file=file))
        if not PYTHON.fullmatch(language := self._language()):
            notes.append(sentence("kernel", file=file, language=one_line(language, 40)))
        return notes

    def _damages(self) -> dict[str, list[str]]:
        """Kind of damage -> the graded cells that have it."""
        expected, defined, twice = self._expected, self._defined(), self._twice()
        there = [name for name in self._copies if name in self._wanted]
        again = [name for name in defined if len(self._found.cells[name]) > 1 and name not in twice]
        known = {*self._copies, *defined, *self._found.dropped}
        return {
            "cells_recovered": [name for name in there if name not in self._marked],
            "cells_twice": twice,
            "defined_twice": again,
            "functions_elsewhere": [
                name
                for name, number in defined.items()
                if number not in self._copies.get(name, ()) and name not in (*twice, *again)
            ],
            "cells_missing": [name for name in expected.names if name not in known],
            "kinds_changed": [name for name in there if self._counted(name)["cell_type"] != "code"],
            "marks_changed": [
                name for name in there if name in self._marked and self._mark_changed(name)
            ],
        }

    def _defined(self) -> dict[str, int]:
        """Graded function -> the number of the cell with its last definition."""
        cells = self._found.cells
        return {name: cells[name][-1] for name in self._expected.functions if name in cells}

    def _twice(self) -> list[str]:
        return [
            name for name, copies in self._copies.items() if name in self._wanted and copies[1:]
        ]

    def _counted(self, name: str):
        """The cell that counts as the graded cell `name`."""
        return self._cells[self._counts[name] - 1]

    def _counting(self, name: str) -> int:
        """The copy of a cell that counts.

        It is the last one whose definition counts, else the last that is filled in, else the last.
        """
        copies = self._copies[name]
        defining = [number for number in copies if number in self._found.cells.get(name, ())]
        filled = [number for number in copies if not _blank(self._cells[number - 1]["source"])]
        return (defining or filled or copies)[-1]

    def _recognised(self, number: int, cell) -> str | None:
        """The graded cell that an unmarked cell is.

        It is recognised by the function that it defines, by being that function's check, or by the
        id that the kit's cells have.
        """
        if cell["cell_type"] != "code":
            return None
        for name in self._expected.names:
            if name in self._marked:
                continue
            if name in self._expected.functions:
                if number in self._found.cells.get(name, ()):
                    return name
            elif cell["source"].strip() == f"check({name.removeprefix('test_')})":
                return name
            elif cell.get("id") == name.replace("_", "-"):
                return name
        return None

    def _reordered(self) -> bool:
        """Are the cells of the handout, or its test cells, in another order here?"""
        once = [name for name in self._ids if name in self._wanted and name not in self._twice()]
        return any(
            [name for name in once if name in handout] != [name for name in handout if name in once]
            for handout in (self._expected.functions, self._expected.cells)
        )

    def _ids_repeated(self) -> bool:
        ids = [cell["id"] for cell in self._cells if isinstance(cell.get("id"), str)]
        return len(set(ids)) < len(ids)

    def _mark_changed(self, name: str) -> bool:
        """Does a cell's mark say other than the handout's?"""
        mark, points = self._counted(name)["metadata"].get("nbgrader"), self._expected.cells
        due = {
            "schema_version": SCHEMA,
            "grade": name in points,
            "solution": name in self._expected.functions,
        }
        if name in points:
            due["points"] = points[name]
        mark = mark if isinstance(mark, dict) else {}
        return any(key in mark and mark[key] != value for key, value in due.items())

    def _language(self) -> str:
        """The language that the notebook says it is in."""
        for entry, key in (
            ("language_info", "name"),
            ("kernelspec", "language"),
            ("kernelspec", "name"),
        ):
            about = self._notebook.metadata.get(entry)
            if isinstance(about, dict) and isinstance(about.get(key), str):
                return about[key]
        return ""


def named(names: Collection[str], numbers: Mapping[str, int] | None = None) -> Listing:
    """Some names in a sentence, as the student wrote them.

    `numbers` are those of the cells in which the names stand; then they are told, too.
    """
    shown = [f"`{one_line(name, 60).replace('`', '')}`" for name in list(names)[:MOST_NAMED]]
    if numbers:
        shown = [
            sentence("placed", cell=cell, number=numbers[name])
            for cell, name in zip(shown, names, strict=False)
        ]
    return listed(shown, more=len(names) > MOST_NAMED)


def _blank(source: str) -> bool:
    return "raise NotImplementedError" in source or source.strip() in ("", "YOUR ANSWER HERE")
