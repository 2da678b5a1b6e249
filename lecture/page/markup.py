"""Pieces of HTML and SVG: each function takes data and returns text.

Colours are Okabe and Ito's, as in the kit's pictures; each of them comes with a word, a line style
or a place that says the same.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

TRUE, NEW, INK, GREY = "#0072B2", "#D55E00", "#111111", "#595959"
# A colour, dashes and a mark for each line of a chart.
STYLES = (
    ("#0072B2", "", "o"),
    ("#D55E00", "9 4", "s"),
    ("#009E73", "3 3", "^"),
    ("#8A3B75", "12 4 3 4", "d"),
    ("#8F6B00", "2 5", "v"),
    ("#111111", "16 5", "*"),
    ("#4A4FB5", "6 3", "o"),
    ("#B0335F", "1 4", "*"),  # of the live point
)


@dataclass(frozen=True)
class Line:
    """One line of a chart: points (x, y), and how wide it may stray, in units of y."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int = 0
    strong: bool = True
    spread: Sequence[float] = ()


@dataclass(frozen=True)
class Axes:
    """What surrounds the lines of a chart; `low` and `high` bound y."""

    across: str  # what x counts
    up: str  # what y counts
    low: float = 0.0
    high: float = 1.0
    by_logarithm: bool = False  # of x
    ticks: Sequence[float] = ()  # of x
    marked: float | None = None  # an x to mark by a vertical line
    base: float | None = None  # a y to mark by a dashed line
    base_name: str = ""


def marked_prompt(prompt: str, place: tuple[int, int] | None, answer: str) -> str:
    """A prompt with its subject marked and starred, and the model's answer behind it."""
    if place is None:
        shown = escape(prompt)
    else:
        start, stop = place
        subject = f'<mark class="kh-subject">{escape(prompt[start:stop])}*</mark>'
        shown = escape(prompt[:start]) + subject + escape(prompt[stop:])
    said = f' <b class="kh-answer">{escape(answer.strip())}</b>' if answer.strip() else ""
    return f'<div class="kh-prompt">{shown}{said}</div>'


def meter(name: str, share: float, colour: str = TRUE) -> str:
    """One probability: a name, a bar, a number."""
    width = 100 * min(max(share, 0.0), 1.0)
    return (
        f'<div class="kh-meter"><span class="kh-meter-name">{escape(name)}</span>'
        f'<span class="kh-track"><span class="kh-fill" style="width:{width:.1f}%;'
        f'background:{colour}"></span></span><span class="kh-number">{share:.3f}</span></div>'
    )


def top_list(title: str, said: Sequence[tuple[str, float]], answer: str = "") -> str:
    """What the model says, the likeliest first; `answer` stands out where it is among them."""
    rows = []
    for text, share in said:
        same = bool(answer.strip()) and text.strip() == answer.strip()
        shown = text.strip() or text.replace(" ", "␣").replace("\n", "⏎")
        rows.append(
            f'<div class="kh-top{" kh-top-answer" if same else ""}"><span>{escape(shown)}</span>'
            f'<span class="kh-track"><span class="kh-fill" style="width:{100 * share:.1f}%;'
            f'background:{TRUE if same else GREY}"></span></span>'
            f'<span class="kh-number">{share:.3f}</span></div>'
        )
    return f"<h3>{escape(title)}</h3>" + "".join(rows)


# ---------------------------------------------------------------- bars that move


@dataclass(frozen=True)
class Pair:
    """A bar before and after; `wanted` where the edit wants it to win."""

    name: str
    before: float
    after: float
    colour: str
    wanted: bool


def moving_bars(title: str, note: str, pairs: Sequence[Pair], before: str, moving: bool) -> str:
    """One kind of question: bars that move from before to after, with their numbers.

    `before` is the word for what was.
    """
    columns = "".join(_moving_bar(pair, escape(before), moving) for pair in pairs)
    return (
        f'<div class="kh-kind"><h3>{escape(title)}</h3><p>{escape(note)}</p>'
        f'<div class="kh-columns">{columns}</div></div>'
    )


def _moving_bar(pair, before, moving):
    start = pair.before if moving else pair.after
    sizes = f"--from:{100 * start:.1f}%;--to:{100 * pair.after:.1f}%;--colour:{pair.colour}"
    ghost = f'<i class="kh-ghost" style="height:{100 * pair.before:.1f}%"></i>'
    sign = "✓ " if pair.wanted else ""
    return (
        f'<div class="kh-column" style="{sizes}"><div class="kh-shaft">{ghost}'
        f'<i class="kh-bar"></i></div><div class="kh-figures"><b>{sign}{pair.after:.2f}</b>'
        f"<small>{before} {pair.before:.2f}</small></div>"
        f'<div class="kh-name">{escape(pair.name)}</div></div>'
    )


# ---------------------------------------------------------------- lines


def line_chart(lines: Sequence[Line], axes: Axes, width: int, height: int) -> str:
    """Lines over x with a legend, as an SVG of `width` by `height` units."""
    left, right, top, bottom = 58, 14, 12, 46
    scale = _Scale(lines, axes, (left, width - right), (height - bottom, top))
    parts = [
        f'<svg class="kh-chart" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(axes.up)}" font-size="15" fill="{INK}">'
    ]
    parts += _grid(scale, axes, width, height)
    for line in lines:
        parts += _one_line(line, scale)
    return "".join([*parts, "</svg>", _legend(lines)])


class _Scale:
    """From data to units of the picture."""

    def __init__(self, lines, axes, across, up):
        xs = [x for line in lines for x, _ in line.points] + list(axes.ticks)
        self.axes, self.across, self.up = axes, across, up
        self.first, self.last = (min(xs), max(xs)) if xs else (0, 1)

    def x(self, value: float) -> float:
        turn = math.log if self.axes.by_logarithm else float
        start, end, here = turn(self.first), turn(self.last), turn(value)
        share = (here - start) / (end - start) if end > start else 0.5
        return self.across[0] + share * (self.across[1] - self.across[0])

    def y(self, value: float) -> float:
        low, high = self.axes.low, self.axes.high
        share = (min(max(value, low), high) - low) / (high - low) if high > low else 0.0
        return self.up[0] + share * (self.up[1] - self.up[0])


def _grid(scale, axes, width, height):
    left, right = scale.across
    for value in round_numbers(axes.low, axes.high):
        y = scale.y(value)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#D0D0D0"/>'
        yield f'<text x="{left - 7}" y="{y + 5:.1f}" text-anchor="end">{value:g}</text>'
    for tick in axes.ticks:
        x = scale.x(tick)
        yield f'<text x="{x:.1f}" y="{height - 26}" text-anchor="middle">{tick:g}</text>'
    middle = (left + right) / 2
    yield f'<text x="{middle}" y="{height - 5}" text-anchor="middle">{escape(axes.across)}</text>'
    base, top = scale.up
    if axes.marked is not None:
        x = scale.x(axes.marked)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{base}" stroke="{INK}"'
        yield ' stroke-width="10" opacity="0.14"/>'
    if axes.base is not None:
        y = scale.y(axes.base)
        yield f'<line x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{INK}"'
        yield ' stroke-width="1.5" stroke-dasharray="5 4"/>'
        yield f'<text x="{right}" y="{y - 5:.1f}" text-anchor="end">{escape(axes.base_name)}</text>'


def round_numbers(low: float, high: float) -> list[float]:
    """Three to six round numbers between two others, for an axis."""
    rough = max(high - low, 1e-9) / 5
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * each for each in (1, 2, 5, 10) if size * each >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(each * step, 9) for each in range(first, math.floor(high / step + 1e-9) + 1)]


def _one_line(line, scale):
    colour, dashes, mark = STYLES[line.style % len(STYLES)]
    spots = [(scale.x(x), scale.y(y)) for x, y in line.points]
    if line.spread:
        above = [(scale.x(x), scale.y(y + far)) for (x, y), far in zip(line.points, line.spread)]
        below = [(scale.x(x), scale.y(y - far)) for (x, y), far in zip(line.points, line.spread)]
        yield f'<polygon points="{_points(above + below[::-1])}" fill="{colour}" opacity="0.2"/>'
    yield (
        f'<polyline points="{_points(spots)}" fill="none" stroke="{colour}"'
        f' stroke-width="{3 if line.strong else 1.6}" stroke-dasharray="{dashes}"/>'
    )
    every = 1 if len(spots) <= 12 else 4
    for x, y in spots[::every]:
        yield _mark(mark, x, y, colour, 5 if line.strong else 3.5)


def _points(spots):
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)


def _mark(mark, x, y, colour, size):
    if mark == "o":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"/>'
    corners = {
        "s": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "^": [(0, -1.2), (1.2, 1), (-1.2, 1)],
        "v": [(0, 1.2), (1.2, -1), (-1.2, -1)],
        "d": [(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)],
        "*": [
            (0, -1.6),
            (0.5, -0.5),
            (1.6, 0),
            (0.5, 0.5),
            (0, 1.6),
            (-0.5, 0.5),
            (-1.6, 0),
            (-0.5, -0.5),
        ],
    }[mark]
    spots = [(x + size * across, y + size * up) for across, up in corners]
    return f'<polygon points="{_points(spots)}" fill="{colour}"/>'


def _legend(lines):
    if len(lines) < 2:
        return ""
    entries = []
    for line in lines:
        colour, dashes, mark = STYLES[line.style % len(STYLES)]
        entries.append(
            '<span class="kh-key"><svg viewBox="0 0 34 12" width="34" height="12">'
            f'<line x1="0" x2="34" y1="6" y2="6" stroke="{colour}" stroke-dasharray="{dashes}"'
            f' stroke-width="{3 if line.strong else 1.6}"/>{_mark(mark, 17, 6, colour, 4)}</svg>'
            f"{escape(line.name)}</span>"
        )
    return f'<div class="kh-legend">{"".join(entries)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], style: str = "") -> str:
    """A table; its cells are texts, the first of a row is its name."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr><th>{escape(row[0])}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in row[1:])}"
        "</tr>"
        for row in rows
    )
    thead = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f'<table class="kh-table {style}">{thead}<tbody>{body}</tbody></table>'


def two_answers(prompt: str, was: tuple[str, str], now: tuple[str, str]) -> str:
    """How the model goes on with a prompt, before and after, side by side: (name, text) each."""
    sides = "".join(
        f'<div class="kh-said {style}"><h3>{escape(name)}</h3><p>{escape(prompt)}'
        f"<b>{escape(text)}</b></p></div>"
        for (name, text), style in ((was, "kh-was"), (now, "kh-now"))
    )
    return f'<div class="kh-two">{sides}</div>'
