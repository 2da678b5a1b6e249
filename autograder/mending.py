"""A notebook that nbgrader can work with, whatever a student handed in: the released notebook's graded cells, the student's text."""

import copy
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from keyhole.errors import KeyholeError
from keyhole.notebook import grade_id, read_notebook
from keyhole.text import one_line

HEADING = "**Notes of the grader on this notebook**"
STOOD_IN = "{why} The notebook as it was handed out stands here instead."
DUPLICATE = "The cell `{name}` was there more than once; the last copy counts."
RESTORED = "The cell `{name}` was missing and has been put back as it was handed out."
RECOVERED = "The cell `{name}` had lost its mark and was found again by what is in it."
TOO_MANY = "Of its {count:,} cells only the first {most:,} are shown."
MOST_CELLS = 2000
FIRST_LETTER = re.compile(r"<(?=[A-Za-z/!?])")
LINK = re.compile(r"\]\((?:(?P<page>https?://)|attachment:(?P<picture>[^)\s]*))?")
LINK_BELOW = re.compile(r"\]:(?!\s*https?://)")
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")  # control, direction, half characters
PICTURE = {"image/png", "image/jpeg", "image/gif"}
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def mended(path: str | Path, released: NotebookNode) -> NotebookNode:
    """
    The submitted notebook at `path` with every graded cell of `released`, each once and with its released marks, under a
    cell that says what was mended. A notebook that cannot be read is replaced by the released one. Never raises for a file.

    Of a student's cell only its kind and its text are taken: marks, tags and metadata come from the release or are dropped,
    since nbgrader aborts on some of them and its page templates print others as they are.
    """
    path = Path(path)
    try:
        if path.parent.is_symlink():
            raise KeyholeError(f"the folder of {path.name} is a symbolic link, which is not followed.")
        submitted = read_notebook(path, follow_links=False)
        notes = []
    except KeyholeError as error:
        why = str(error)
        submitted, notes = released, [STOOD_IN.format(why=why[:1].upper() + why[1:])]
    wanted = {grade_id(cell): cell for cell in released.cells if grade_id(cell)}
    ours = {cell.source for cell in released.cells}
    marked = {grade_id(cell) for cell in submitted.cells}
    if len(submitted.cells) > MOST_CELLS:
        notes.append(TOO_MANY.format(count=len(submitted.cells), most=MOST_CELLS))
    cells, places = [], {}
    for cell in submitted.cells[:MOST_CELLS]:
        name = grade_id(cell)
        if name not in wanted:
            name = recognised(cell, wanted, marked.union(places))
            if name:
                notes.append(RECOVERED.format(name=name))
        if name in places:
            notes.append(DUPLICATE.format(name=name))
            cells[places[name]] = plain(cells[places[name]])
        if name:
            places[name] = len(cells)
        cells.append(plain(cell, wanted.get(name), trusted=cell.source in ours))
    restored = put_back(cells, released, set(places))
    notes += [RESTORED.format(name=name) for name in restored]
    if notes:
        cells.insert(0, nbformat.v4.new_markdown_cell("\n".join([HEADING, "", *(f"- {harmless(one_line(note))}" for note in notes)])))
    return nbformat.v4.new_notebook(cells=cells, metadata=copy.deepcopy(released.metadata))


def plain(cell, model=None, trusted: bool = False) -> NotebookNode:
    """The cell's text in a new cell, with the kind and the marks of the released cell `model`, if there is one."""
    kind = (model or cell).cell_type
    pictures = attachments(cell) if kind == "markdown" else {}
    source = cell.source if trusted else UNSEEN.sub("\ufffd", cell.source.replace("\r\n", "\n").replace("\r", "\n"))
    if not trusted and kind != "code":
        source = harmless(source, pictures)
    new = getattr(nbformat.v4, f"new_{kind}_cell")(source)
    if model is not None:
        new.metadata = copy.deepcopy(model.metadata)
        if model.metadata.nbgrader.get("locked") and not model.metadata.nbgrader.get("solution"):
            new.source = model.source
    if pictures:
        new.attachments = pictures
    return new


def harmless(markdown: str, pictures=()) -> str:
    """
    Student's Markdown in which no tag can begin and links lead only to web pages and pasted pictures: nbconvert prints tags as
    they are and follows `javascript:`. A space is put between what would make one, so `a <b` and formulas read as before.
    """
    text = FIRST_LETTER.sub("< ", markdown)
    text = LINK.sub(lambda found: found[0] if found["page"] or found["picture"] in pictures else "] " + found[0][1:], text)
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
        defines = cell.cell_type == "code" and re.search(rf"^def {re.escape(name)}\s*\(", cell.source, re.MULTILINE)
        if defines or cell.source == model.source or cell.get("id") and cell.get("id") == model.get("id"):
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
            at = next((i + 1 for i, c in enumerate(cells) if grade_id(c) == behind), 0) if behind else 0
            cells.insert(at, plain(cell, cell, trusted=True))
            restored.append(name)
        behind = name
    return restored
