"""A notebook that nbgrader can work with, whatever a student handed in: the released notebook's graded cells, the student's text."""

import copy
import re

import nbformat
from nbformat import NotebookNode

from autograder.messages import sentence
from autograder.submissions.notebooks import Submitted, named
from keyhole.messages import opened
from keyhole.notebooks.definitions import grade_id
from keyhole.text import one_line

MOST_SHOWN = 100_000  # characters of a notebook on its page, three times those of an honest one: a page is made in seconds, not minutes
MOST_FORMULAS, MOST_BLANK = (
    100,
    20,
)  # of one kind in one cell; empty lines in a row: nbconvert's time grows with the square of either
OPENINGS = (r"\begin{", r"\\[", r"\\(")  # of formulas, as nbconvert reads them
FIRST_LETTER = re.compile(r"<(?=[A-Za-z/!?])")
LINK = re.compile(r"\]\((?:(?P<page>https?://)|attachment:(?P<picture>[^)\s]*))?")
LINK_BELOW = re.compile(r"\]:(?!\s*https?://)")
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)  # control, direction, half characters
PICTURE = {"image/png", "image/jpeg", "image/gif"}
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def mended(submitted: Submitted, released: NotebookNode) -> NotebookNode:
    """
    The submitted notebook with every graded cell of `released`, each once and with its released marks, under a
    cell that says what was mended. The released one stands in for a notebook that could not be read.

    Of a student's cell only its kind and its text are taken: marks, tags and metadata come from the release or are dropped,
    since nbgrader aborts on some of them and its page templates print others as they are.
    """
    notes = [
        *submitted.notes,
        *([submitted.reason, sentence("stood_in")] if submitted.reason else []),
    ]
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
        cells.append(plain(cell, wanted.get(name), trusted=cell.source in ours))
        if len(cells[-1].source) > room and cell.source not in ours:
            cells[-1].source = cells[-1].source[:room] + "\n…"
            shortened = True
        room -= min(room, len(cells[-1].source))
    if shortened:
        notes.append(
            sentence("shown_in_part", file=f"{submitted.name}.ipynb", most=f"{MOST_SHOWN:,}")
        )
    restored = [name for name in put_back(cells, released, places) if name not in submitted.graded]
    if restored:
        notes.append(
            sentence("cells_missing", file=f"{submitted.name}.ipynb", cells=named(restored))
        )
    if notes:
        listed = [f"- {harmless(one_line(opened(note)))}" for note in dict.fromkeys(notes)]
        cells.insert(
            0, nbformat.v4.new_markdown_cell("\n".join([f"**{sentence('notes')}**", "", *listed]))
        )
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(released.metadata))


def plain(cell, model=None, trusted: bool = False) -> NotebookNode:
    """The cell's text in a new cell, with the kind and the marks of the released cell `model`, if there is one."""
    kind = (model or cell).cell_type
    pictures = attachments(cell) if kind == "markdown" else {}
    source = (
        cell.source
        if trusted
        else UNSEEN.sub("\ufffd", cell.source.replace("\r\n", "\n").replace("\r", "\n"))
    )
    if not trusted:
        source = harmless(closed_up(source), pictures) if kind != "code" else closed_up(source)
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


def harmless(markdown: str, pictures=()) -> str:
    """
    Student's Markdown in which no tag can begin and links lead only to web pages and pasted pictures: nbconvert prints tags as
    they are and follows `javascript:`. A space is put between what would make one, so `a <b` and formulas read as before.
    """
    text = FIRST_LETTER.sub("< ", markdown)
    for opening in OPENINGS:
        if text.count(opening) > MOST_FORMULAS:
            text = text.replace(opening, f"{opening[:-1]} {opening[-1]}")
    text = LINK.sub(
        lambda found: (
            found[0] if found["page"] or found["picture"] in pictures else "] " + found[0][1:]
        ),
        text,
    )
    return LINK_BELOW.sub("] :", text)


def attachments(cell) -> dict:
    """The pictures pasted into a cell. Anything else there would be printed into a page as it is."""
    found = cell.get("attachments")
    kept = {}
    for name, data in found.items() if isinstance(found, dict) else ():
        for kind, text in data.items() if isinstance(data, dict) else ():
            if kind in PICTURE and isinstance(text, str) and BASE64.fullmatch(text):
                kept[name] = {kind: text}
    return kept


def recognised(cell, wanted: dict, taken: set) -> str | None:
    """The graded cell that an unmarked cell is, by the function it defines or by its unchanged text."""
    for name, model in wanted.items():
        if name in taken or cell.cell_type != model.cell_type:
            continue
        # Begun by fixed text, the pattern is found in megabytes at once.
        defines = cell.cell_type == "code" and re.search(
            rf"\ndef {re.escape(name)}\s*\(", "\n" + cell.source
        )
        if (
            defines
            or cell.source == model.source
            or cell.get("id")
            and cell.get("id") == model.get("id")
        ):
            return name
    return None


def put_back(cells: list, released: NotebookNode, present: set) -> list[str]:
    """Insert the graded cells of the release that are not there, each behind the one it followed; the names put back."""
    restored, behind = [], None
    for cell in released.cells:
        name = grade_id(cell)
        if not name:
            continue
        if name not in present:
            at = (
                next((i + 1 for i, c in enumerate(cells) if grade_id(c) == behind), 0)
                if behind
                else 0
            )
            cells.insert(at, plain(cell, cell, trusted=True))
            restored.append(name)
        behind = name
    return restored
