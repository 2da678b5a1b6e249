"""Pictures of what a tab shows, for slides: drawn anew by matplotlib, as SVG and as PNG."""

import io
from typing import TYPE_CHECKING

import numpy as np

from keyhole.fonts import chinese_font
from keyhole.tracing import CausalMap
from lecture.page import markup
from lecture.page.words import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = {"svg": "image/svg+xml", "png": "image/png"}
WIDTH, HEIGHT, DPI = 12.0, 6.75, 160  # inches: a slide's shape
DASHES = {
    "": "-",
    "9 4": "--",
    "3 3": ":",
    "12 4 3 4": "-.",
    "2 5": ":",
    "6 3": "--",
    "1 4": ":",
    "16 5": "--",
}


def drawn(figure: "Figure", kind: str) -> bytes:
    """The file of a figure, "svg" or "png"; in an SVG the words stay words."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "keyhole"}):
        figure.savefig(content, format=kind, dpi=DPI)
    return content.getvalue()


def _picture(title):
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    families = ["DejaVu Sans"]
    if chinese_font():
        families = [chinese_font(), *families]
    rcParams["font.family"] = families
    picture = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    picture.suptitle(_plain(title), fontsize=19)
    return picture


def _plain(text):
    """Text in which matplotlib sees no mathematics."""
    return str(text).replace("$", r"\$")


def of_map(shown: CausalMap, shades: str, title: str) -> "Figure":
    """The causal map that the first tab shows."""
    picture = _picture(title)
    ax = picture.subplots()
    values = np.ma.masked_invalid(shown.values.numpy())
    cells = ax.pcolormesh(values, cmap=shades, edgecolors="white", linewidth=0.4)
    ax.invert_yaxis()
    starred = range(*shown.span)
    names = [
        _plain(token.strip() or "␣") + ("*" if row in starred else "")
        for row, token in enumerate(shown.tokens)
    ]
    ax.set_yticks([row + 0.5 for row in range(len(names))], names, fontsize=15)
    for row in starred:
        ax.get_yticklabels()[row].set_fontweight("bold")
    layers = values.shape[1]
    step = 5 if layers > 12 else 1
    ax.set_xticks([layer + 0.5 for layer in range(0, layers, step)], range(0, layers, step))
    ax.tick_params(length=2, labelsize=15)
    ax.set_xlabel(str(say("map_layer")), fontsize=16)
    bar = picture.colorbar(cells, ax=ax, pad=0.015, aspect=22)
    bar.ax.tick_params(labelsize=13)
    bar.set_label(f"p({_plain(shown.answer.strip())})", fontsize=16)
    return picture


def of_edit(kinds: list[tuple[str, list[markup.Pair]]], title: str, axis: str) -> "Figure":
    """The bars before and after that the second tab shows; `axis` says what they count."""
    picture = _picture(title)
    axes = picture.subplots(1, len(kinds), sharey=True, squeeze=False)[0]
    for ax, (kind, pairs) in zip(axes, kinds):
        for number, pair in enumerate(pairs):
            left = 2.5 * number
            look = {"edgecolor": pair.colour, "linewidth": 1.4, "width": 0.9}
            ax.bar(left, pair.before, facecolor="white", hatch="////", **look)
            ax.bar(left + 1, pair.after, facecolor=pair.colour, **look)
            for place, share in ((left, pair.before), (left + 1, pair.after)):
                ax.text(place, share + 0.015, f"{share:.2f}", ha="center", fontsize=12)
        names = [_plain(("✓ " if pair.wanted else "") + pair.name) for pair in pairs]
        ax.set_xticks([0.5, 3.0], names, fontsize=13)
        ax.set_title(str(say(f"kind_{kind}")), fontsize=16, fontweight="bold")
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(axis="x", length=0)
    axes[0].set_ylim(0, 1.08)
    axes[0].set_ylabel(axis, fontsize=14)
    return picture


def of_lines(lines: list[markup.Line], axes: markup.Axes) -> "Figure":
    """The curves that the third tab shows."""
    picture = _picture(axes.up)
    ax = picture.subplots()
    for line in lines:
        colour, dashes, mark = markup.STYLES[line.style % len(markup.STYLES)]
        xs, ys = zip(*line.points)
        ax.plot(
            xs, ys, color=colour, linestyle=DASHES[dashes], marker=mark, markersize=8,
            linewidth=2.6 if line.strong else 1.8, label=_plain(line.name),
        )  # fmt: skip
    if axes.base is not None:
        ax.axhline(axes.base, color=markup.INK, linestyle="--", linewidth=1.2)
        ax.text(1.0, axes.base, f" {axes.base_name}", transform=ax.get_yaxis_transform())
    if axes.by_logarithm:
        ax.set_xscale("log")
    ax.set_xticks(list(axes.ticks), [f"{tick:g}" for tick in axes.ticks], fontsize=14)
    ax.minorticks_off()
    ax.set_ylim(axes.low, axes.high * 1.02)
    ax.tick_params(axis="y", labelsize=14)
    ax.set_xlabel(axes.across, fontsize=16)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#D0D0D0")
    ax.legend(fontsize=14, frameon=False)
    return picture
