"""Printing that never fails, and columns that stand below one another."""

import re
import shutil
import sys
from collections.abc import Iterable

from wcwidth import wcswidth

WIDEST = 100  # columns of a line that is easy to read
# What stays together: a Chinese character with the signs that may not begin or end a line, or a
# word with those that may not begin one.
OPENING, CLOSING, CHINESE = (
    "「『（《",
    "，。、；：！？」』）》…",
    "\u2e80-\u9fff\uf900-\ufaff\uff01-\uff60",
)
PIECE = re.compile(f"[{OPENING}]*(?:[{CHINESE}]|[^\\s{CHINESE}]+)[{CLOSING}]*|[^\\s]", re.UNICODE)


def print_anything() -> None:
    """Print what the terminal has no letters for as escapes, from now on.

    On a terminal in latin-1 or ASCII the name 陳大文 becomes \\u9673\\u5927\\u6587. So does a half
    character on any terminal.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a notebook or a test took its place
            stream.reconfigure(errors="backslashreplace")


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes: a Chinese character takes two."""
    return max(wcswidth(text), 0)


def padded(text: str, width: int, to_the_right: bool = False) -> str:
    """The text with blanks behind or before it, so that it takes at least `width` columns."""
    blanks = " " * (width - columns(text))
    return blanks + text if to_the_right else text + blanks


def folded(lines: Iterable[str]) -> str:
    """Lines for people: on a terminal none is wider than it, and no word is broken.

    What goes on in a new line stands two columns further right. Elsewhere lines stay as they are.
    """
    if not sys.stdout.isatty():
        return "\n".join(lines)
    width = min(WIDEST, shutil.get_terminal_size().columns - 1)
    return "\n".join(part for line in lines for part in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    """A line as several; only a word that is wider than `width` is wider."""
    indent = line[: len(line) - len(line.lstrip())]
    if columns(line) <= width:
        return [line]
    parts, now, end = [], indent, len(indent)
    for piece in PIECE.finditer(line, len(indent)):
        gap = line[end : piece.start()]
        if columns(now + gap + piece[0]) > width and now.strip():
            parts.append(now)
            now, gap = indent + "  ", ""
        now, end = now + gap + piece[0], piece.end()
    return [*parts, now]
