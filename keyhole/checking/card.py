"""What a student sees of a function's checks: a card in a notebook, the same as text elsewhere.

The card stands in JupyterLab, VS Code and Colab, light and dark: its styles are in the tags, its
colours are seen on both, and it holds no script. Whatever comes from a student is escaped.
"""

import re
from dataclasses import dataclass
from html import escape

from torch import Tensor

from keyhole.checking.evidence import Evidence
from keyhole.messages import feedback, language, pictured, titled
from keyhole.terminal import columns, padded

QUOTED = re.compile("`([^`]*)`")
POSITIVE, NEGATIVE, GOOD = "#0072b2", "#d55e00", "#009e73"  # Okabe and Ito
LINE = "rgba(128,128,128,.4)"
WIDE, CELL = 150, 14  # pixels: most of a picture, and of one of its cells
LONG = 180  # characters: a longer diagnosis, such as one that quotes an error, is less large
WORDS = "overflow-wrap:break-word;word-break:normal;hyphens:none"  # a word is broken nowhere
BOX = (
    f"border:1px solid {LINE};border-left:5px solid {{color}};border-radius:6px;margin:4px 0;"
    f"padding:10px 14px;max-width:46rem;font-size:14px;line-height:1.5;{WORDS};"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','PingFang TC',"
    "'Microsoft JhengHei','Noto Sans CJK TC',sans-serif"
)
CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:.92em;background:none;padding:0"
CELL_STYLE = (
    "border:none;padding:2px 18px 2px 0;text-align:left;background:none;vertical-align:baseline"
)


@dataclass(frozen=True)
class CheckLine:
    """One public check: what it is about, whether it passed, what is said of it."""

    __test__ = False  # not a test of ours, whatever pytest thinks of the name

    title: str
    passed: bool
    said: str = ""

    def __str__(self) -> str:
        told = titled(self.title, self.said) if self.said else self.title
        return f"{'✓' if self.passed else '✗'} {told}"


@dataclass(frozen=True)
class CheckCard:
    """How a function did: `head` in a line, what is wrong with it, and by what this is seen.

    title: of the test by which it is seen. evidence: what that test expected, and what came back.
    hint: how to get one. A function that passed has a head alone.
    """

    name: str
    head: str
    passed: bool
    diagnosis: str = ""
    title: str = ""
    evidence: Evidence | None = None
    tests: tuple[CheckLine, ...] = ()
    hint: str = ""

    @property
    def heading(self) -> str:
        """The first line."""
        return f"{'✓' if self.passed else '✗'} {titled(self.name, self.head)}"

    def lines(self) -> list[str]:
        """What stands below the first line, as text."""
        below = [self.diagnosis, *self._table(), *map(str, self.tests), self.hint]
        return [f"  {line}" for line in below if line]

    def _table(self) -> list[str]:
        """The evidence in columns that stand below one another."""
        if not self.evidence:
            return []
        head = (str(self.evidence.what).strip(), *map(_named, ("expected", "yours")))
        table = [head, *((row.name, row.expected, row.got) for row in self.evidence.rows())]
        widths = [max(map(columns, column)) for column in zip(*table)]
        lines = ("   ".join(map(padded, row, widths)).rstrip() for row in table)
        return [titled(self.title, "").rstrip(), *(f"  {line}" for line in lines)]

    def html(self) -> str:
        """The card."""
        if self.passed:
            return f'<div style="font-size:14px;{WORDS}">{_heading(self)}</div>'
        parts = [
            f'<div style="opacity:.85">{_heading(self)}</div>',
            self.diagnosis and _large(self.diagnosis),
            self.evidence and _evidence(self.title, self.evidence),
            self.tests and _folded(self.tests),
            self.hint and f'<div style="margin-top:8px;opacity:.85">{marked(self.hint)}</div>',
        ]
        return boxed("".join(filter(None, parts)), NEGATIVE)


def boxed(content: str, color: str) -> str:
    """HTML in a box with a line of that color at its left."""
    return f'<div style="{BOX.format(color=color)}">{content}</div>'


def marked(text: str) -> str:
    """A sentence as HTML: escaped, and a name between backquotes as code."""
    return QUOTED.sub(rf'<code style="{CODE}">\1</code>', escape(text))


def _named(name):
    """What a column or a picture shows, in the words of pictures."""
    return pictured(name, language())


def _heading(card):
    sign = f'<b style="color:{GOOD if card.passed else NEGATIVE}">{"✓" if card.passed else "✗"}</b>'
    name = f'<code style="{CODE};font-weight:600">{escape(card.name)}</code>'
    return f"{sign} {titled(name, marked(card.head))}"


def _large(diagnosis):
    size = 1.3 if len(diagnosis) <= LONG else 1.1
    style = f"font-size:{size}em;line-height:1.35;font-weight:600;margin:6px 0 10px"
    return f'<div style="{style}">{marked(diagnosis)}</div>'


def _evidence(title, evidence):
    head = (str(evidence.what).strip(), *map(_named, ("expected", "yours")))
    rows = [_row(list(map(marked, head)), "font-weight:600")]
    for row in evidence.rows():
        cells = [escape(each) for each in (row.name, row.expected, row.got)]
        cells[2] = f"<b>{cells[2]}</b>" if row.differs else cells[2]
        rows.append(_row(cells))
    table = "".join(rows)
    return (
        f'<div style="margin-top:6px">{marked(titled(title, ""))}</div>'
        '<table style="border-collapse:collapse;border:none;margin:2px 0 8px;font-size:1em;'
        f'font-variant-numeric:tabular-nums;color:inherit">{table}</table>'
        + (_pictures(*evidence.pictures) if evidence.pictures else "")
    )


def _row(cells, style=""):
    inner = "".join(f'<td style="{CELL_STYLE};{style}">{cell}</td>' for cell in cells)
    return f'<tr style="background:none;border:none">{inner}</tr>'


def _pictures(expected: Tensor, got: Tensor) -> str:
    """Both matrices and their difference, cell by cell: blue is positive, orange negative.

    The shade goes with the root of the number, so that a small difference can be seen.
    """
    high = max(float(expected.abs().max()), float(got.abs().max())) or 1.0
    parts = []
    for name, matrix in (("expected", expected), ("yours", got), ("difference", got - expected)):
        drawing = _drawing(matrix / high)
        parts.append(
            '<div style="display:inline-block;margin:0 18px 6px 0;vertical-align:top">'
            f'<div style="font-size:.9em">{_named(name)}</div>{drawing}</div>'
        )
    return f"<div>{''.join(parts)}</div>"


def _drawing(matrix: Tensor) -> str:
    rows, columns_ = matrix.shape
    cell = max(3.0, min(CELL, WIDE / max(rows, columns_)))
    width, height = columns_ * cell, rows * cell
    cells = "".join(
        f'<rect x="{j * cell:.1f}" y="{i * cell:.1f}" width="{cell:.1f}" height="{cell:.1f}" '
        f'fill="{POSITIVE if value > 0 else NEGATIVE}" fill-opacity="{abs(value) ** 0.5:.2f}"/>'
        for i, row in enumerate(matrix.tolist())
        for j, value in enumerate(row)
        if abs(value) >= 0.005
    )
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.1f} {height:.1f}" '
        f'style="border:1px solid {LINE};display:block">{cells}</svg>'
    )


def _folded(tests):
    lines = "".join(
        f'<div style="padding-left:1.4em;text-indent:-1.4em">{marked(str(test))}</div>'
        for test in tests
    )
    lost = sum(not test.passed for test in tests)
    summary = feedback("checks_of", all=len(tests), lost=lost)
    return (
        f'<details style="margin-top:4px"><summary style="cursor:pointer">{summary}</summary>'
        f'<div style="margin:4px 0 0 4px">{lines}</div></details>'
    )
