"""What a student sees on a feedback page below a test cell. Nothing in it is taken for markup."""

import re

import nbformat
from nbformat import NotebookNode

from autograder import messages
from autograder.pages.feedback import about
from autograder.result import Bonus, TestResult
from keyhole.text import one_line

MARKDOWN = {ord(c): f"&#{ord(c)};" for c in "*_{}[]()#+-.!|~^=:@<>&\"'"}
# As entities they would still begin a formula in the browser, and a formula can hold a link.
FORMULA = str.maketrans({"$": "＄", "\\": "＼"})
# At the end of each column: nbgrader's page sets the columns of a table without any space.
GAP = "&emsp;"


def outputs_of(
    tests: list[TestResult], heading: object, level: str | None, points: float
) -> list[NotebookNode]:
    """The outputs of a test cell: the table of its tests, then its points.

    `level` is the level of isolation at which the tests ran. nbgrader reads the points from the
    last output.
    """
    text = table_of(tests, heading)
    if level:
        text += f"\n\n{messages.sentence('isolation', level=level)}"
    shown = {"text/markdown": text, "text/plain": text}
    return [
        nbformat.v4.new_output("display_data", data=shown),
        nbformat.v4.new_output(
            "execute_result", data={"text/plain": repr(points)}, execution_count=1
        ),
    ]


def challenge_cell(bonus: Bonus) -> NotebookNode:
    """The cell at a page's end that tells of the challenge. It is worth no points of nbgrader's."""
    title = messages.sentence("challenge")
    text = f"## {escaped(title)}\n\n{escaped(about(bonus))}\n\n{escaped(bonus.message)}"
    return nbformat.v4.new_markdown_cell(text, id="challenge-result")


def table_of(tests: list[TestResult], heading: object = None) -> str:
    """The tests of one cell as a Markdown table, under a sentence if there is one."""
    lines = [escaped(heading), ""] if heading else []
    if tests:
        head = [str(messages.sentence(name)) for name in ("result", "points", "test", "seen")]
        lines += [f"| {f'{GAP} | '.join(head)} |", "|:--|--:|:--|:--|"]
    for test in tests:
        columns = [
            unbroken(messages.sign(test.verdict)),
            unbroken(f"{test.points:g} / {test.max_points:g}"),
            escaped(test.title),
            escaped(test.message),
        ]
        lines.append(f"| {f'{GAP} | '.join(columns)} |")
    return "\n".join(lines)


def unbroken(text: str) -> str:
    """A short text that a narrow column does not break, neither at a space nor within Chinese."""
    return re.sub("(?<=[一-鿿])(?=[一-鿿])", "\u2060", text.replace(" ", "\u00a0"))


def escaped(text: object) -> str:
    """Text of anyone's on one line. A name between backquotes is shown as code.

    HTML, Markdown, formulas, terminal and direction codes in it are only characters.
    """
    line = one_line(text, 600).translate(FORMULA).translate(MARKDOWN)
    return re.sub("`([^`]*)`", r"<code>\1</code>", line).replace("`", "&#96;")
