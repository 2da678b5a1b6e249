"""Is a notebook in a newer Python than the one that reads it?

Its metadata may tell, and a line that the older Python cannot parse may show it.
"""

import re
import sys
from collections.abc import Callable, Mapping

from keyhole.messages import Remark, feedback
from keyhole.text import one_line

Version = tuple[int, int]
NUMBER = re.compile(r"(\d{1,2})\.(\d{1,3})(?!\d)")
LIST = r"[ \t]*\[[^\n]*"  # of type parameters
# From which version on a line of this form is Python.
FORMS: tuple[tuple[Version, re.Pattern], ...] = (
    ((3, 12), re.compile(rf"[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+\w+{LIST}")),
    ((3, 12), re.compile(r"[ \t]*type[ \t]+[^\W\d]\w*[ \t]*(?:=(?!=)|\[[^\n]*=)")),
    ((3, 13), re.compile(r"[ \t]*(?:(?:async[ \t]+)?def|class|type)[ \t]+\w+[ \t]*\[[^]\n]*=")),
    ((3, 14), re.compile(r"""[^#\n]*(?<![\w"'])(?:t|rt|tr)["']""", re.IGNORECASE)),
)
# Since 3.12 what stands in the braces of an f-string is free: its quotes, lines and comments too.
FREE_BRACES: Version = (3, 12)
F_STRING = re.compile(r"""(?<!\w)(?:f|rf|fr)["']""", re.IGNORECASE)
BRACES = re.compile(r"\{(?:[^{}]++|\{[^{}]*+\})*+\}")
COMMENT = re.compile(r"#[^\n]*\n")


def here() -> Version:
    """The version of the Python that reads, and grades."""
    return sys.version_info[:2]


def shown(version: Version) -> str:
    """A version as one writes it: 3.12."""
    return "{}.{}".format(*version)


def saved_by(metadata: Mapping) -> Version | None:
    """The version of Python that a notebook was saved by, where that is newer; else None."""
    about = metadata.get("language_info")
    if not isinstance(about, Mapping) or "python" not in str(about.get("name")).casefold():
        return None
    number = NUMBER.match(str(about.get("version", "")))
    version = number and (int(number[1]), int(number[2]))
    return version if version and version > here() else None


def syntax(
    error: SyntaxError, source: str, saved: Version | None, parse: Callable[[str], object]
) -> Remark | None:
    """The words on a syntax error that a newer Python explains, or may explain; else None.

    `parse` raises what `ast.parse` raises. `saved` is what `saved_by` gives.
    """
    line = error.lineno or 1
    told = {"line": line, "grades": shown(here())}
    if needed := _needed(error, source, line, parse):
        return feedback("syntax_newer", needed=shown(needed), **told)
    if saved:
        said = one_line(error.msg, 120)
        return feedback("syntax_perhaps_newer", error=said, saved=shown(saved), **told)
    return None


def _needed(error, source, line, parse) -> Version | None:
    """The version from which on the line of the error is Python; None where nothing shows it."""
    text = source.split("\n")[line - 1 : line]
    for version, form in reversed(FORMS):
        if version > here() and text and form.match(text[0]):
            return version
    in_string = error.msg.startswith(("f-string", "unterminated string"))
    if FREE_BRACES > here() and in_string and F_STRING.search(source):
        return FREE_BRACES if _parses_with_plain_braces(source, parse) else None
    return None


def _parses_with_plain_braces(source, parse) -> bool:
    """Would the text be Python, were its f-strings written as before 3.12?"""
    for quote, other in ("\"'", "'\""):

        def plain(braces, quote=quote, other=other):
            inside = COMMENT.sub(" ", braces[0]).replace("\n", " ").replace(quote, other)
            return re.sub(r"\\.", " ", inside)

        try:
            parse(BRACES.sub(plain, source))
            return True
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass
    return False
