"""The file of a notebook: from any bytes to the JSON of its cells, in bounded memory and time.

What a student's disk, editor, browser or git did to the file is mended here as far as its text
allows. Each mend is said in one sentence.
"""

import codecs
import json
import os
import re
import stat
import threading
from contextlib import suppress
from itertools import islice
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.messages import feedback
from keyhole.text import one_line

FILE_MB = 256  # of a notebook with its outputs, which are passed over
NOTEBOOK_MB = 20  # of what is left of it; read as JSON it takes up to some 12 times as much memory
BRACKETS = 1_000_000  # in what is read as JSON; an honest notebook has some thousands
PASSED_OVER = 2_000_000  # brackets in outputs, about 2 s
MOST_ENTRIES = 1_000  # of a folder that are looked at
DAMAGES = 20  # places in a damaged file from which reading goes on
# my_edits.safetensors is no other name of my_edit.safetensors.
ONE, SEVERAL = "my_edit.safetensors", "my_edits"

# What ast.parse and json.loads raise on bad text.
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
DECODER = json.JSONDecoder(strict=False)  # a line may end inside a string
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
HEAVY = (  # the keys whose values make a notebook large
    rb'"(?:outputs|attachments|widgets)"\s*+:\s*+(?=[\[{])'
)
TO_HEAVY = re.compile(rb'(?:[^"]++|(?!%s)%s)*+' % (HEAVY, STRING), re.DOTALL)
HEAVY_KEY = re.compile(HEAVY)
TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|%s)*+' % STRING, re.DOTALL)
CELLS = re.compile(r'"cells"\s*:\s*\[')
CELL = re.compile(r'\{\s*"(?:attachments|cell_type)"\s*:')
BLANKS = "raise NotImplementedError", "YOUR ANSWER HERE"  # in cells that are not filled in
BETWEEN = re.compile(r"[\s,]*")
# What came in place of the notebook, by how it begins -> the sentence on what to do instead.
IN_ITS_PLACE = (
    (re.compile(rb"\s*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE), "file_page"),
    (re.compile(rb"\s*version https://git-lfs"), "file_lfs"),
    (re.compile(rb"bplist00"), "file_icloud"),
)
# To a comma before a bracket that closes, over strings, of which the last may be cut off.
TO_COMMA = re.compile(r'(?:[^",]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|,(?!\s*+[\]}]))*+', re.DOTALL)

# The bounds above are those of the process, however many threads grade.
_one_at_a_time = threading.Lock()


def load(path: str | Path, follow_links: bool = True) -> tuple[dict, list[str]]:
    """The JSON object in a notebook's file, and a sentence for everything that was mended.

    In a file above NOTEBOOK_MB outputs and pasted pictures are passed over without being kept.
    Raises KeyholeError for a file that is no notebook.
    """
    name = one_line(os.path.basename(path), 80)
    notes = []
    with _one_at_a_time:
        content = read_file(path, FILE_MB, follow_links)
        for begins, code in IN_ITS_PLACE:
            if begins.match(content.removeprefix(codecs.BOM_UTF8)):
                raise KeyholeError(feedback(code, file=name))
        raw = _utf8(content, name, notes)
        if not raw.strip(b"\0 \t\r\n"):
            raise KeyholeError(feedback("file_empty", file=name))
        if len(raw) <= NOTEBOOK_MB * 2**20 and re.search(rb"^<{7} ", raw, re.MULTILINE):
            raw = _upper_side(raw)
            notes.append(feedback("file_conflict", file=name))
        if len(raw) > NOTEBOOK_MB * 2**20 or _brackets(raw) > BRACKETS:
            size = len(raw)
            raw = _without_outputs(raw, name)
            notes.append(feedback("file_large", file=name, size=f"{size / 2**20:.0f}"))
        return _parsed(raw.decode(), name, notes), notes


def is_called(name: str, wanted: str) -> bool:
    """Is a file of this name `wanted`, or what a browser or a desktop made of it?

    As `My_Fact.json`, `my_fact (1).json`, `my_fact.json.txt` of `my_fact.json`.
    """
    stem, suffix = os.path.splitext(wanted)
    name = name.casefold().removesuffix(".txt")
    if wanted == ONE and SEVERAL in name:
        return False
    return stem in name and name.endswith(suffix) and not name.startswith((".", "~"))


def file_called(folder: str | Path, wanted: str) -> Path | None:
    """The file `wanted` of a folder, else an ordinary one that was meant to be it.

    Of several the last by name, where a longer name comes after a shorter (`(10)` after `(9)`).
    Raises KeyholeError where the folder cannot be read.
    """
    path = Path(folder, wanted)
    if os.path.lexists(path):
        return path
    try:
        with os.scandir(folder) as entries:
            names = [
                entry.name
                for entry in islice(entries, MOST_ENTRIES)
                if is_called(entry.name, wanted) and entry.is_file(follow_symlinks=False)
            ]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(one_line(os.path.basename(folder), 80), error) from None
    return Path(folder, max(names, key=lambda name: (len(name), name))) if names else None


def read_file(
    path: str | Path, limit_mb: float, follow_links: bool = True, sentence: str | None = None
) -> bytes:
    """The bytes of a regular file of at most `limit_mb`.

    Raises KeyholeError for anything else: a student may hand in a link, a pipe or a device.
    `sentence` names another sentence on a file above the limit.
    """
    name = one_line(os.path.basename(path), 80)
    # NONBLOCK: opening a named pipe must not wait for a writer.
    flags = (
        os.O_RDONLY
        | getattr(os, "O_NONBLOCK", 0)
        | getattr(os, "O_BINARY", 0)
        | (0 if follow_links else getattr(os, "O_NOFOLLOW", 0))
    )
    if not follow_links and os.path.islink(path):
        raise KeyholeError(feedback("file_link", file=name))
    try:
        with open(path, "rb", opener=lambda p, _: os.open(p, flags)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise KeyholeError(feedback("file_not_ordinary", file=name))
            if status.st_size > limit_mb * 2**20:
                raise _too_large(name, status.st_size, limit_mb, sentence)
            return file.read(status.st_size)
    except FileNotFoundError:
        raise KeyholeError(feedback("file_absent", file=name)) from None
    except IsADirectoryError:
        raise KeyholeError(feedback("file_not_ordinary", file=name)) from None
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None


def _unreadable(name: str, error: Exception) -> KeyholeError:
    why = one_line(getattr(error, "strerror", None) or error, 100)
    return KeyholeError(feedback("file_unreadable", file=name, why=why))


def _too_large(name: str, size: int, limit_mb: float, sentence: str | None = None) -> KeyholeError:
    details = {"file": name, "size": f"{size / 2**20:.0f}", "limit": limit_mb}
    return KeyholeError(
        feedback(sentence, **details) if sentence else feedback("file_too_large", **details)
    )


def _too_crowded(name: str) -> KeyholeError:
    return KeyholeError(feedback("file_crowded", file=name))


def _utf8(raw: bytes, name: str, notes: list[str]) -> bytes:
    """The same text in UTF-8, without a byte-order mark."""
    encoding = json.detect_encoding(raw)
    if encoding == "utf-8-sig":
        notes.append(feedback("file_mark", file=name))
        raw = raw[len(codecs.BOM_UTF8) :]
    elif encoding == "utf-8" and _is_utf8(raw):
        return raw
    if encoding.startswith("utf-8"):
        if _is_utf8(raw):
            return raw
        encoding = _legacy(raw[: NOTEBOOK_MB * 2**20])
    if len(raw) > NOTEBOOK_MB * 2**20:
        raise _too_large(name, len(raw), NOTEBOOK_MB)
    spoilt = encoding == "utf-8"
    notes.append(
        feedback(
            "file_spoilt" if spoilt else "file_encoding",
            file=name,
            encoding={"cp950": "Big5", "cp1252": "Windows-1252"}.get(encoding, encoding.upper()),
        )
    )
    return raw.decode(encoding, "replace").lstrip("\ufeff").encode("utf-8", "replace")


def _is_utf8(raw: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        # By pieces: the text itself would take up to four times the memory.
        for start in range(0, len(raw), 2**20):
            decoder.decode(raw[start : start + 2**20])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(raw: bytes) -> str:
    """The likeliest encoding of text that is not UTF-8.

    Either UTF-8 with some bytes spoilt, or Big5 as Windows writes it in Taiwan, or Windows-1252. In
    Big5 a byte above 127 most often has another one behind it; in a European text it is alone among
    letters.
    """
    foreign = len(raw) - len(raw.translate(None, bytes(range(128, 256))))
    if 10 * raw.decode("utf-8", "replace").count("\ufffd") <= foreign:
        return "utf-8"
    return "cp950" if 4 * len(re.findall(rb"[\x81-\xfe][\xa1-\xfe]", raw)) >= foreign else "cp1252"


def _upper_side(raw: bytes) -> bytes:
    """The text with the upper version, one's own, of whatever a merge left unresolved.

    In JSON no line begins with such a mark.
    """
    kept, side = [], None
    for line in raw.split(b"\n"):
        mark = line[:7]
        if mark == b"<<<<<<<":
            side = "upper"
        elif side and mark in (b"|||||||", b"======="):
            side = "lower"
        elif side and mark == b">>>>>>>":
            side = None
        elif side != "lower":
            kept.append(line)
    return b"\n".join(kept)


def _brackets(raw: bytes) -> int:
    return raw.count(b"[") + raw.count(b"{")


def _without_outputs(raw: bytes, name: str) -> bytes:
    """The JSON text with empty outputs, attachments and widgets.

    Raises KeyholeError where that is still too much.
    """
    kept, at, size, left = [], 0, 0, PASSED_OVER
    while at < len(raw):
        stop = TO_HEAVY.match(raw, at).end()
        key = HEAVY_KEY.match(raw, stop)
        stop = key.end() if key else len(raw)  # else the end, or a string that is cut off
        size += stop - at
        left -= 1
        if left < 0:
            raise _too_crowded(name)
        if size > NOTEBOOK_MB * 2**20:
            raise _too_large(name, len(raw), NOTEBOOK_MB)
        kept.append(raw[at:stop])
        at = stop
        if key:
            kept.append(b"[]" if raw[at] == ord("[") else b"{}")
            at, left = _behind_value(raw, at, left)
    light = b"".join(kept)
    if _brackets(light) > BRACKETS:
        raise _too_crowded(name)
    return light


def _behind_value(raw: bytes, at: int, left: int) -> tuple[int, int]:
    """Where the list or object at `at` ends, and how many of `left` brackets are left then."""
    depth = 0
    while left > 0:
        bracket = raw[at : at + 1]
        depth += 1 if bracket in (b"[", b"{") else -1
        at, left = at + 1, left - 1
        if depth == 0:
            return at, left
        at = TO_BRACKET.match(raw, at).end()
        if at == len(raw) or raw[at] == ord('"'):
            return len(raw), left
    return at, -1


def _parsed(text: str, name: str, notes: list[str]) -> dict:
    try:
        notebook = _decoded(text, name, notes)
    except UNREADABLE:
        texts = dict.fromkeys([text, mended := _without_last_commas(text)])
        with suppress(*UNREADABLE):
            notebook = _object(_decoded(mended, name, notes), name)
            notes.append(feedback("file_commas", file=name))
            return notebook
        cells = max(map(_whole_cells, texts), key=len)
        if not cells:
            raise KeyholeError(feedback("file_no_json", file=name)) from None
        notes.append(feedback("file_damaged", file=name, count=len(cells)))
        return {"cells": cells}
    return _object(notebook, name)


def _object(notebook: object, name: str) -> dict:
    if not isinstance(notebook, dict):
        raise KeyholeError(feedback("file_no_cells", file=name))
    return notebook


def _without_last_commas(text: str) -> str:
    """The text without commas before a bracket that closes, as editing by hand leaves them."""
    kept, at = [], 0
    while at < len(text):
        comma = TO_COMMA.match(text, at).end()
        kept.append(text[at:comma])
        at = comma + 1
    return "".join(kept)


def _decoded(text: str, name: str, notes: list[str]) -> object:
    """The JSON value at the beginning of a text."""
    notebook, end = DECODER.raw_decode(text, BETWEEN.match(text).end())
    if not (rest := text[end:].strip()):
        return notebook
    with suppress(*UNREADABLE):
        second, _ = DECODER.raw_decode(rest)
        if _letters(notebook) >= 0 and _letters(second) >= 0:
            notes.append(feedback("file_two", file=name))
            return max(notebook, second, key=_letters)
    notes.append(feedback("file_goes_on", file=name, count=len(rest)))
    return notebook


def _letters(notebook: object) -> int:
    """How much text the cells of a notebook have, blanks left out; -1 for what is no notebook."""
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return -1
    sources = [cell.get("source") or "" for cell in cells if isinstance(cell, dict)]
    texts = ["".join(map(str, each)) if isinstance(each, list) else str(each) for each in sources]
    return sum(len(text) for text in texts if not any(blank in text for blank in BLANKS))


def _whole_cells(text: str) -> list[dict]:
    """The cells of a damaged file that are whole themselves, in their order."""
    begin, cells = CELLS.search(text), []
    at = begin.end() if begin else len(text)
    for _ in range(DAMAGES):
        try:
            while at < len(text):
                at = BETWEEN.match(text, at).end()
                cell, at = DECODER.raw_decode(text, at)
                # A dict without these is a mark of nbgrader's.
                if (
                    isinstance(cell, dict)
                    and "cell_type" in cell
                    and {"source", "input"} & cell.keys()
                ):
                    cells.append(cell)
        except UNREADABLE:
            pass
        begin = CELL.search(text, at + 1)
        if not begin:
            break
        at = begin.start()
    return cells
