"""What is a student's own writing in a submission, as fingerprints that a copy would share.

Code is compared by winnowing (Schleimer, Wilkerson and Aiken, 2003), as copydetect does it: names,
comments and spaces do not count, and what the handout itself holds is left out. Only what leaves
room to differ is looked at: `trace`, a student's own helpers, and written answers. Elsewhere one
right solution looks much like another.
"""

import ast
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autograder.submissions.notebooks import Submission, Submitted
from keyhole.errors import KeyholeError
from keyhole.notebooks.definitions import grade_id, read_notebook

ROOMY = ("trace",)  # graded functions that can be written in many ways
HELPERS = "helpers"
# A run of CODE letters of filtered code is one fingerprint, and of WORDS letters of prose. In each
# WINDOW of them one is kept.
CODE, WORDS, WINDOW = 20, 16, 4
LONGEST = 20_000  # characters of one part that are looked at
Prints = np.ndarray  # distinct fingerprints, in order


@dataclass(frozen=True)
class Handout:
    """What every student was given: fingerprints of its code, and of each written question."""

    code: Prints
    questions: Mapping[str, Prints]  # grade id of a written question -> of the text that it had


def handout_in(folder: Path, names: Mapping[str, object]) -> Handout:
    """The handout's notebooks of these names in a folder; one that is not there is left out."""
    code, questions = [], {}
    for name in names:
        try:
            notebook = read_notebook(folder / f"{name}.ipynb")
        except KeyholeError:
            continue
        for cell in notebook.cells:
            if cell.cell_type == "code":
                code += _code_prints(cell.source, window=1).tolist()
            elif marked := grade_id(cell):
                questions[marked] = _prose_prints(cell.source, window=1)
    return Handout(np.unique(np.array(code, dtype=np.int64)), questions)


def own_writing(submission: Submission, handout: Handout) -> dict[str, Prints]:
    """Part of a submission -> its fingerprints: of `trace`, of HELPERS, of each written answer."""
    found: dict[str, Prints] = {}
    for submitted in submission.values():
        for part, text in _functions(submitted):
            # One by one: where two functions meet there would be fingerprints of neither.
            own = np.setdiff1d(_code_prints(text), handout.code)
            found[part] = np.union1d(found.get(part, own), own)
        for name, cell in zip(submitted.ids, submitted.cells):
            if name in handout.questions:
                prints = _prose_prints(cell["source"])
                found[name] = np.setdiff1d(prints, handout.questions[name])
    return found


def _functions(submitted: Submitted) -> Iterator[tuple[str, str]]:
    """(part, source) of the functions and classes of a notebook that leave room to differ."""
    if submitted.definitions is None or len(submitted.definitions.source) > 10 * LONGEST:
        return
    lines = submitted.definitions.source.split("\n")
    graded = {name.removeprefix("test_") for name in submitted.graded}
    try:
        statements = ast.parse(submitted.definitions.source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for each in statements:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            part = HELPERS if each.name not in graded else each.name
            if part in (HELPERS, *ROOMY):
                yield part, "\n".join(lines[each.lineno - 1 : each.end_lineno])


def _code_prints(text: str, window: int = WINDOW) -> Prints:
    from copydetect.utils import filter_code  # late: it loads the library for plots

    filtered, _ = filter_code(text[:LONGEST], "notebook.py", "python")
    return _prints("".join(filtered.split()), CODE, window)


def _prose_prints(text: str, window: int = WINDOW) -> Prints:
    letters = "".join(letter for letter in text[:LONGEST].casefold() if letter.isalnum())
    return _prints(letters, WORDS, window)


def _prints(letters: str, length: int, window: int) -> Prints:
    """The distinct fingerprints that winnowing keeps; Python's own hash differs in every run."""
    from copydetect.utils import winnow

    runs = range(len(letters) - length + 1)
    hashes = [zlib.crc32(letters[i : i + length].encode("utf-8", "replace")) for i in runs]
    if not hashes:
        return np.array([], dtype=np.int64)
    return winnow(np.array(hashes, dtype=np.int64), min(window, len(hashes)))[0]
