"""Printing that never fails."""

import sys


def print_anything() -> None:
    """Print what the terminal has no letters for as escapes, from now on.

    On a terminal in latin-1 or ASCII the name 陳大文 becomes \\u9673\\u5927\\u6587. So does a half
    character on any terminal.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a notebook or a test took its place
            stream.reconfigure(errors="backslashreplace")
