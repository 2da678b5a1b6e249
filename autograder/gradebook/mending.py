"""A notebook that nbgrader can work with, whatever a student handed in.

It has the graded cells of the released notebook and the student's text.
"""

import copy
import re
from collections.abc import Container

import nbformat
from nbformat import NotebookNode

from autograder.messages import sentence
from autograder.submissions.cells import named
from autograder.submissions.notebooks import Submitted
from keyhole.messages import opened
from keyhole.notebooks.definitions import grade_id
from keyhole.text import one_line

# Characters of a notebook on its page: three times those of an honest one. So a page is made in
# seconds, not minutes.
MOST_SHOWN = 100_000
# Formulas of one kind in one cell, and empty lines in a row. nbconvert's time grows with the square
# of either.
MOST_FORMULAS, MOST_BLANK = 100, 20
OPENINGS = (r"\begin{", r"\\[", r"\\(")  # of formulas, as nbconvert reads them
FIRST_LETTER = re.compile(r"<(?=[A-Za-z/!?])")
LINK = re.compile(r"\]\((?:(?P<page>https?://)|attachment:(?P<picture>[^)\s]*))?")
LINK_BELOW = re.compile(r"\]:(?!\s*https?://)")
# Control characters, direction codes, half characters.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
PICTURE = {"image/png", "image/jpeg", "image/gif"}
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def mended(submitted: Submitted, released: NotebookNode) -> NotebookNode:
    """The submitted notebook with every graded cell of `released`, under a note of what was mended.

    Each graded cell is there once, with its released marks. The released notebook stands in for one
    that could not be read.

    Of a student's cell only its kind and its text are taken. Marks, tags and metadata come from the
    release or are dropped: nbgrader aborts on some of them, and its page templates print others as
    they are.
    """
    file, notes = f"{submitted.name}.ipynb", list(submitted.notes)
    if submitted.reason:
        notes += [submitted.reason, sentence("stood_in")]
    cells, places, shortened = _student_cells(submitted, released)
    if shortened:
        notes.append(sentence("shown_in_part", file=file, most=f"{MOST_SHOWN:,}"))
    restored = [name for name in put_back(cells, released, places) if name not in submitted.graded]
    if restored:
        notes.append(sentence("cells_missing", file=file, cells=named(restored)))
    if notes:
        items = [f"- {harmless(one_line(opened(note)))}" for note in dict.fromkeys(notes)]
        text = "\n".join([f"**{sentence('notes')}**", "", *items])
        cells.insert(0, nbformat.v4.new_markdown_cell(text))
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(released.metadata))


def _student_cells(
    submitted: Submitted, released: NotebookNode
) -> tuple[list[NotebookNode], set[str | None], bool]:
    """The rebuilt cells, the graded cells that they are, and whether any text was cut off."""
    handed = (
        zip(submitted.ids, submitted.cells, strict=True)
        if submitted.definitions
        else ((grade_id(cell), cell) for cell in released.cells)
    )
    wanted = {grade_id(cell): cell for cell in released.cells if grade_id(cell)}
    ours = {cell.source for cell in released.cells}
    cells, places, room, shortened = [], set(submitted.ids), MOST_SHOWN, False
    for name, cell in handed:
        name = name if name in wanted else recognised(cell, wanted, places)
        places.add(name)
        new = rebuilt(cell, wanted.get(name), trusted=cell.source in ours)
        if len(new.source) > room and cell.source not in ours:
            new.source = new.source[:room] + "\n…"
            shortened = True
        room -= min(room, len(new.source))
        cells.append(new)
    return cells, places, shortened


def rebuilt(
    cell: NotebookNode, model: NotebookNode | None = None, trusted: bool = False
) -> NotebookNode:
    """The cell's text in a new cell, with the kind and the marks of the released cell `model`.

    Without a `model` the cell keeps its kind. The text of a `trusted` cell is ours.
    """
    kind, source = (model or cell).cell_type, cell.source
    pictures = attachments(cell) if kind == "markdown" else {}
    if not trusted:
        source = UNSEEN.sub("\ufffd", source.replace("\r\n", "\n").replace("\r", "\n"))
        source = closed_up(source) if kind == "code" else harmless(closed_up(source), pictures)
    new = getattr(nbformat.v4, f"new_{kind}_cell")(source)
    if model is not None:
        new.metadata = copy.deepcopy(model.metadata)
        if model.metadata.nbgrader.get("locked") and not model.metadata.nbgrader.get("solution"):
            new.source = model.source
    if pictures:
        new.attachments = pictures
    return new


def closed_up(text: str) -> str:
    """The text with at most MOST_BLANK empty lines in a row."""
    lines, blank = [], 0
    for line in text.split("\n"):
        blank = 0 if line.strip() else blank + 1
        if blank <= MOST_BLANK:
            lines.append(line)
    return "\n".join(lines)


def harmless(markdown: str, pictures: Container[str] = ()) -> str:
    """A student's Markdown in which no tag can begin, and no link leads where it should not.

    nbconvert prints tags as they are and follows `javascript:`. Here links lead only to web pages
    and to pasted `pictures`. A space breaks up what would make a tag or a link, so that `a <b` and
    formulas read as before.
    """
    text = FIRST_LETTER.sub("< ", markdown)
    for opening in OPENINGS:
        if text.count(opening) > MOST_FORMULAS:
            text = text.replace(opening, f"{opening[:-1]} {opening[-1]}")

    def broken_up(link: re.Match) -> str:
        good = link["page"] or link["picture"] in pictures
        return link[0] if good else "] " + link[0][1:]

    return LINK_BELOW.sub("] :", LINK.sub(broken_up, text))


def attachments(cell: NotebookNode) -> dict[str, dict[str, str]]:
    """The pictures pasted into a cell.

    Whatever else is attached is dropped: it would be printed into a page as it is.
    """
    attached = cell.get("attachments")
    kept = {}
    for name, data in attached.items() if isinstance(attached, dict) else ():
        for kind, text in data.items() if isinstance(data, dict) else ():
            if kind in PICTURE and isinstance(text, str) and BASE64.fullmatch(text):
                kept[name] = {kind: text}
    return kept


def recognised(cell: NotebookNode, wanted: dict, taken: set) -> str | None:
    """The graded cell that an unmarked cell is.

    It is recognised by the function that it defines, by its unchanged text or by its id.
    """
    for name, model in wanted.items():
        if name in taken or cell.cell_type != model.cell_type:
            continue
        # Begun by fixed text, the pattern is found in megabytes at once.
        defines = cell.cell_type == "code" and re.search(
            rf"\ndef {re.escape(name)}\s*\(", "\n" + cell.source
        )
        same_id = cell.get("id") and cell.get("id") == model.get("id")
        if defines or cell.source == model.source or same_id:
            return name
    return None


def put_back(cells: list, released: NotebookNode, present: set) -> list[str]:
    """Insert the graded cells of the release that are not `present`; return their names.

    Each is put behind the graded cell that it follows in the release.
    """
    restored, behind = [], None
    for cell in released.cells:
        name = grade_id(cell)
        if not name:
            continue
        if name not in present:
            places = (i + 1 for i, c in enumerate(cells) if grade_id(c) == behind)
            at = next(places, 0) if behind else 0
            cells.insert(at, rebuilt(cell, cell, trusted=True))
            restored.append(name)
        behind = name
    return restored
