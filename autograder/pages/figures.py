"""The report's drawings, as SVG inside the page."""

import io
import re
from collections.abc import Sequence

from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.figure import Figure

BLUE, GREY = "#2f6fae", "#6b7280"
PARTS = 10  # of the range of scores
NUMBERS = re.compile(r'^.*?(?=<svg)|\s(?:width|height)="[\d.]+pt"', re.DOTALL)
SETTINGS = {
    "svg.fonttype": "none",  # words stay words: they can be found, and take the page's font
    "svg.hashsalt": "keyhole",  # the same page for the same results
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def histogram(scores: Sequence[float], most: float, label: str) -> Markup:
    """How many students have which score, in tenths of `most` points.

    The axes are named below the drawing: matplotlib's own font has no Chinese.
    """
    with rc_context(SETTINGS):
        figure = Figure(figsize=(5.2, 2.3), layout="constrained")
        axes = figure.subplots()
        axes.hist(scores, bins=_edges(most), color=BLUE, edgecolor="white")
        axes.set_xlim(0, most)
        axes.yaxis.get_major_locator().set_params(integer=True)
        return _svg(figure, label, "histogram")


def sparkline(scores: Sequence[float], most: float, label: str) -> Markup:
    """The same for one question: as small as a word, without axes."""
    with rc_context(SETTINGS):
        figure = Figure(figsize=(1.1, 0.28))
        axes = figure.add_axes((0, 0.04, 1, 0.96))
        axes.hist(scores, bins=_edges(most), color=BLUE, edgecolor="white", linewidth=0.5)
        axes.set_axis_off()
        axes.axhline(0, color=GREY, linewidth=0.8)
        axes.set_xlim(0, most)
        return _svg(figure, label, "sparkline")


def _edges(most: float) -> list[float]:
    return [most * part / PARTS for part in range(PARTS + 1)]


def _svg(figure: Figure, label: str, name: str) -> Markup:
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = NUMBERS.sub("", drawn.getvalue())
    # Ids would repeat from one drawing to the next, and nothing refers to those of groups.
    svg = re.sub(r'<g id="[^"]*">', "<g>", re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S))
    opening = f'<svg class="{name}" role="img" aria-label="{escape(label)}"'
    return Markup(svg.replace("<svg", opening, 1))
