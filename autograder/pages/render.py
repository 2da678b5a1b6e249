"""Fills in a template. Whatever comes from a student is escaped, and nothing in it stays unseen."""

import base64
import hashlib
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder import messages
from autograder.pages.formulas import with_formulas
from autograder.result import name_shown
from keyhole.messages import language
from keyhole.text import one_line

TEMPLATES = Path(__file__).resolve().parent / "templates"
HTML_LANGUAGES = {"en": "en", "zh-TW": "zh-Hant-TW"}
QUOTED = re.compile("`([^`]*)`")
LONGEST, LONGEST_REASON = 600, 10_000  # characters of a message, and of all on a submission


def rendered(template: str, **values: object) -> str:
    """A page, from a file of templates/ and what it shows, in the language spoken."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"say": messages.on_page, "language": HTML_LANGUAGES[language()]}
    made.globals["longest_reason"] = LONGEST_REASON
    made.globals["sentence"] = messages.sentence
    made.filters |= {"number": number, "prose": prose, "visible": visible, "name": name_shown}
    made.filters |= {"formulas": with_formulas, "question": messages.question}
    made.globals["script"] = Markup((TEMPLATES / "table.js").read_text(encoding="utf-8"))
    made.globals["style"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    made.globals["script_hash"] = _hash(made.globals["script"])
    return made.get_template(template).render(values)


def _hash(script: str) -> str:
    """By which the page's own policy lets this script run, and no other."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def number(value: float) -> str:
    """Points as a person writes them: 3, 2.5, 0.33."""
    return f"{round(value, 2):g}"


def prose(text: object, longest: int = LONGEST) -> Markup:
    """A message of one line. A name between backquotes is shown as code."""
    line = str(escape(one_line(text, longest)))
    return Markup(QUOTED.sub(r"<code>\1</code>", line))


def visible(text: str) -> str:
    """Text of several lines, as a student wrote it, in which no direction code acts."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ").split("\n")
    return "\n".join("".join(c if c.isprintable() else "\ufffd" for c in line) for line in lines)
