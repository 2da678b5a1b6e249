"""Formulas as MathML, which browsers draw by themselves: pages need no script and no network."""

import re
from collections.abc import Mapping
from html import unescape
from xml.etree import ElementTree

from jinja2 import pass_context
from jinja2.runtime import Context
from latex2mathml.converter import convert_to_element
from markupsafe import Markup, escape
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

# As notebooks mark them: $$ ... $$ stands apart, $ ... $ in a line, without blanks at its ends.
FORMULA = re.compile(r"\$\$(?P<apart>[^$]+)\$\$|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$])?)\$(?!\d)")
LONGEST = 2000  # characters of a formula; what is longer stays as it was written
# No other attribute is kept: MathML knows links, and `style`.
KEPT = frozenset(
    "accent columnalign columnlines columnspacing display displaystyle fence form largeop "
    "linebreak linethickness mathvariant maxsize minsize movablelimits rowlines rowspacing "
    "scriptlevel separator stretchy symmetric width xmlns".split()
)


def mathml(tex: str, display: str) -> str | None:
    """The formula as MathML, "inline" or "block"; None if it cannot be read as one."""
    if len(tex) > LONGEST:
        return None
    try:
        made = convert_to_element(tex, display=display)
    except Exception:  # a student's formula may be anything, and the converter raises anything
        return None
    for each in made.iter():  # the converter leaves text as it is, and writes signs as entities
        each.text, each.tail = unescape(each.text or ""), unescape(each.tail or "")
        each.attrib = {name: value for name, value in each.attrib.items() if name in KEPT}
    return ElementTree.tostring(made, encoding="unicode")


def with_formulas(text: str) -> Markup:
    """Plain text as HTML: escaped, with its formulas drawn."""
    made, end = [], 0
    for found in FORMULA.finditer(text):
        apart, inline = found.group("apart"), found.group("inline")
        drawn = mathml(apart or inline, "block" if apart else "inline")
        made += [escape(text[end : found.start()]), Markup(drawn or escape(found.group()))]
        end = found.end()
    return Markup("").join([*made, escape(text[end:])])


class _Renderer(IPythonRenderer):
    """nbconvert's own renderer of Markdown, but for formulas."""

    def block_math(self, body: str) -> str:
        return mathml(body, "block") or super().block_math(body)

    def inline_math(self, body: str) -> str:
        return mathml(body, "inline") or super().inline_math(body)


@pass_context
def markdown_to_html(context: Context | Mapping, source: str) -> str:
    """nbconvert's filter `markdown2html`, for formgrader and for nbgrader's own feedback pages."""
    cell, resources = context.get("cell", {}), context.get("resources", {})
    renderer = _Renderer(
        escape=False,  # as nbconvert does; what a Markdown cell may do is in docs/security.md
        attachments=cell.get("attachments", {}),
        path=resources.get("metadata", {}).get("path", ""),
    )
    return MarkdownWithMath(renderer=renderer).render(source)
