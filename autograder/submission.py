"""What one student handed in: each notebook's definitions and written answers, or one sentence on why there are none."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.notebook import Definitions, definitions, grade_id, read_notebook
from keyhole.text import one_line

NO_METADATA = "the notebook has lost its nbgrader metadata, so its functions were found by their names."


@dataclass(frozen=True)
class Submitted:
    """One notebook of a submission. Either `definitions` is there, or `reason` says in one sentence why not."""

    notebook: str
    definitions: Definitions | None = None
    reason: str | None = None
    answers: Mapping[str, str] = field(default_factory=dict)  # grade id -> text of a written answer, as it was handed in
    notes: tuple[str, ...] = ()  # one sentence each: what was skipped or mended


def read_submission(folder, assignment_notebooks: Mapping[str, Collection[str]]) -> dict[str, Submitted]:
    """The notebooks of one student's folder SUBMITTED/<student>/<assignment>.

    `assignment_notebooks` maps a notebook's name (without .ipynb) to the graded functions in it. Nothing that a
    student can put into the folder raises here, and no link in it is followed: it could point at the staff's files.
    """
    return {name: _read_one(Path(folder), name, functions) for name, functions in assignment_notebooks.items()}


def _read_one(folder: Path, name: str, functions: Collection[str]) -> Submitted:
    try:
        if folder.is_symlink() or not folder.is_dir():
            raise KeyholeError(f"there is no folder {one_line(folder.name, 80)} of this student's own.")
        path = folder / f"{name}.ipynb"
        if not os.path.lexists(path):
            raise KeyholeError(f"there is no {path.name}{_what_there_is(folder)}.")
        notebook = read_notebook(path, follow_links=False)
        found = definitions(notebook)
    except (KeyholeError, OSError) as error:
        return Submitted(name, reason=one_line(error))
    ids = {grade_id(cell) for cell in notebook.cells} - {None}
    if not ids and not any(function in found.functions or function in found.broken for function in functions):
        return Submitted(name, reason=f"{path.name} holds none of the cells that are graded: it is another notebook, or they were deleted.")
    return Submitted(name, found, answers=_answers(notebook), notes=(() if ids else (NO_METADATA,)) + found.notes)


def _what_there_is(folder: Path) -> str:
    others = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".ipynb"))
    return f"; the notebooks in the folder are {one_line(', '.join(others), 150)}" if others else ", nor any other notebook"


def _answers(notebook) -> dict[str, str]:
    """Texts of the markdown cells that are graded by hand."""
    graded = [(grade_id(cell), cell) for cell in notebook.cells if cell["cell_type"] == "markdown"]
    return {name: cell["source"] for name, cell in graded if name and cell["metadata"]["nbgrader"].get("solution")}
