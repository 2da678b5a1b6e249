"""Printing that never fails, and columns that stand below one another."""

import sys

from wcwidth import wcswidth


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
