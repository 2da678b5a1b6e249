"""Pictures of the ideas behind the notebooks, before there are any results.

Each returns a new Figure in the style of keyhole.plots, with words in the language spoken. What
looks like a number is one: it is computed from small made-up keys and weights, which are seeded.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from keyhole.plots import GREY, NEW, SMALLEST, TRUE, WIDEST, canvas, in_style, say

if TYPE_CHECKING:  # the grader runs a notebook's imports, and draws nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GREEN, RED = "#009E73", "#B2182B"  # MLP and attention, in the hues of their maps
TOKENS = ("The", "Eiffel", "Tower", "…", "of")
SUBJECT = range(1, 3)
LAYERS = 4
FIRST, THEN = 1.15, 2.75  # heights at which the two layers begin that are drawn
COLUMNS = ((0.9, "Eiffel"), (2.3, "Tower"), (3.7, "… of"))


def _arrow(ax: "Axes", start, end, color=GREY, **style):
    ax.annotate(
        "", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.4, **style}
    )


def _box(ax: "Axes", center, text, color):
    ax.text(
        *center,
        text,
        ha="center",
        va="center",
        color="white",
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.45", "facecolor": color, "edgecolor": "none"},
    )


# ---------------------------------------------------------------- the stream of states


@in_style
def stream_of_states() -> "Figure":
    """How a token's state goes up through the layers: attention and MLP each add to it."""
    picture, [ax] = canvas(WIDEST, 5.4)
    ax.set_xlim(0, 9)
    ax.set_ylim(0, 5.4)
    for bottom, number in ((FIRST, 0), (THEN, 1)):
        ax.axhspan(bottom - 0.05, bottom + 1.35, 0.005, 0.74, color="#F0F0F0")
        ax.text(6.55, bottom + 0.65, say("idea_layer", layer=number), ha="right", va="center")
    for x, token in COLUMNS:
        ax.plot([x, x], [0.7, 4.35], color=TRUE, linewidth=4, zorder=1)
        for y in (FIRST - 0.125, THEN - 0.125, THEN + 1.475):
            ax.plot(x, y, "o", color=TRUE, markersize=11, zorder=3)
        ax.text(x, 0.42, token, ha="center", va="center")
    for bottom in (FIRST, THEN):
        _one_layer(ax, bottom)
    last = COLUMNS[-1][0]
    _arrow(ax, (last, 4.3), (last, 4.95), TRUE, linewidth=3)
    ax.text(last + 0.2, 4.72, say("idea_more_layers"), va="center", color=GREY)
    ax.text(last, 5.17, "Paris", ha="center", va="center", fontweight="bold")
    for y, name, color in (
        (4.2, "idea_state", TRUE),
        (2.35, "idea_attention", RED),
        (3.3, "idea_mlp", GREEN),
        (0.85, "idea_embedding", TRUE),
    ):
        ax.text(6.8, y, say(name), color=color, va="center")
    return picture


def _one_layer(ax, bottom):
    """What a layer adds at the last token: first from other tokens, then what the MLP looks up."""
    (first, _), (second, _), (last, _) = COLUMNS
    low, high = bottom + 0.35, bottom + 0.95
    for x in (first, second):
        _arrow(ax, (x, bottom - 0.12), (last - 0.12, low), RED, linewidth=1.2)
    _box(ax, (5.2, high), "MLP", GREEN)
    _arrow(ax, (last, low + 0.18), (4.83, high - 0.1), GREEN)
    _arrow(ax, (4.83, high + 0.08), (last + 0.12, high + 0.16), GREEN)
    for y, color in ((low, RED), (high + 0.16, GREEN)):
        ax.text(
            last,
            y,
            "+",
            ha="center",
            va="center",
            zorder=4,
            bbox={"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": color},
        )


# ---------------------------------------------------------------- three runs


@in_style
def three_runs() -> "Figure":
    """Clean run, corrupted run, and the corrupted run with one state put back. (ROME, fig. 1)

    A full dot is a clean state, an empty one a corrupted state, and a half one lies above the
    state that was put back, so it may hold something of it.
    """
    picture, axes = canvas(WIDEST, 4.7, 3)
    picture.supxlabel(say("idea_dots"), fontsize=SMALLEST, color=GREY)
    for ax, run in zip(axes, ("clean", "corrupted", "restored")):
        ax.set_xlim(-0.6, len(TOKENS) - 0.4)
        ax.set_ylim(-1.4, LAYERS + 1.4)
        ax.set_title(say(f"idea_{run}"), pad=4)
        for column, token in enumerate(TOKENS):
            ax.plot([column, column], [-0.4, LAYERS], color="#CCCCCC", linewidth=1.5, zorder=0)
            star = "*" if run != "clean" and column in SUBJECT else ""
            ax.text(column, -0.85, token + star, ha="center", rotation=35, va="center")
            for layer in range(LAYERS + 1):
                _state(ax, column, layer, run)
        end = len(TOKENS) - 1
        _arrow(ax, (end, LAYERS + 0.25), (end, LAYERS + 0.85))
        answer = "Paris" if run == "clean" else say(f"idea_says_{run}")
        ax.text(end + 0.4, LAYERS + 1.1, answer, ha="right", va="center")
    from matplotlib.patches import ConnectionPatch  # late, as all of matplotlib

    place = (SUBJECT[-1], 2)
    picture.add_artist(
        ConnectionPatch(
            place,
            place,
            "data",
            "data",
            axesA=axes[0],
            axesB=axes[2],
            arrowstyle="-|>",
            color=NEW,
            linewidth=1.6,
            shrinkA=9,
            shrinkB=9,
            connectionstyle="arc3,rad=-0.12",
        )
    )
    return picture


def _state(ax, column, layer, run):
    """One dot: what kind of state stands there in this run."""
    place = (SUBJECT[-1], 2)
    feels = run == "restored" and column >= place[0] and layer > place[1]
    if run == "clean" or column < SUBJECT[0]:
        fill = "full"
    elif layer == 0 and column not in SUBJECT:  # the embeddings of other tokens stay as they are
        fill = "full"
    elif run == "restored" and (column, layer) == place:
        ax.plot(column, layer, "o", markersize=19, markerfacecolor="none", color=NEW, mew=2)
        fill = "full"
    else:
        fill = "bottom" if feels else "none"
    ax.plot(
        column,
        layer,
        "o",
        color=TRUE,
        fillstyle=fill,
        markersize=11,
        markerfacecoloralt="white",
        markerfacecolor=TRUE if fill != "none" else "white",
    )


# ---------------------------------------------------------------- keys and values


@in_style
def keys_and_values() -> "Figure":
    """W as a memory: the key says how much of each column of W goes into the value."""
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(6, 8, generator=generator)
    key = torch.tensor([0.1, 0.9, 0.0, 0.2, 0.7, 0.0, 0.1, 0.0])
    picture, [ax] = canvas(WIDEST, 4.3)
    ax.set_xlim(-3.1, 14.2)
    ax.set_ylim(-1.6, 9.4)
    for unit, strength in enumerate(key.tolist()):
        ax.bar(unit + 0.5, 1.9 * strength + 0.03, width=0.7, bottom=6.6, color=TRUE)
        _cells(ax, unit, weight[:, unit], max(strength, 0.12))
    _cells(ax, 10.2, weight @ key, 1)
    ax.text(9.1, 3, "=", ha="center", va="center", fontsize=20)
    for x, y, name, side, color in (
        (-0.3, 7.4, "idea_key", "right", TRUE),
        (-0.3, 3, "idea_columns", "right", "black"),
        (11.5, 3, "idea_value", "left", "black"),
    ):
        ax.text(x, y, say(name), ha=side, va="center", color=color)
    ax.text(4, -0.9, say("idea_memory"), ha="center", va="center", color=GREY)
    return picture


def _cells(ax, left, column, strength):
    """A column of numbers as shades, as visible as it counts."""
    for row, value in enumerate((column / 2.6).clamp(-1, 1).tolist()):
        color = NEW if value > 0 else TRUE
        place = [(left + 0.08, 5 - row), 0.84, 0.95]
        frame = {"edgecolor": "#BBBBBB", "linewidth": 0.8}
        ax.add_patch(_rectangle(*place, facecolor="none", **frame))
        ax.add_patch(_rectangle(*place, facecolor=color, alpha=abs(value) * strength))


def _rectangle(*place, **style):
    from matplotlib.patches import Rectangle  # late, as all of matplotlib

    return Rectangle(*place, **style)


# ---------------------------------------------------------------- the rank-one step


@in_style
def rank_one_step() -> "Figure":
    """Which keys feel an edit: with the identity in the place of C, and with C.

    A key k gets the share (d . k) / (d . k*) of what is written for k*, where d is the direction to
    which the change listens: k* itself, or C⁻¹k*.
    """
    generator = torch.Generator().manual_seed(1)
    spread = torch.tensor([[1.7, 0.0], [0.85, 0.45]])
    keys = torch.randn(250, 2, generator=generator) @ spread.T
    moment, key = keys.T @ keys / len(keys), torch.tensor([1.3, 2.0])
    picture, axes = canvas(WIDEST, 3.7, 2)
    for ax, name, metric in zip(axes, ("idea_identity", "idea_with_c"), (torch.eye(2), moment)):
        direction = torch.linalg.solve(metric, key)
        shares = (keys @ direction / (key @ direction)).abs()
        words = say(name) + "\n" + say("idea_share", percent=round(100 * float(shares.mean())))
        ax.set_title(words, pad=6)
        _draw_keys(ax, keys, shares, direction)
        if metric is moment:
            end = 2.4 * direction / direction.norm()
            _arrow(ax, (0, 0), end.tolist(), GREEN, linewidth=2.4)
            ax.text(*(1.16 * end).tolist(), "d", color=GREEN, ha="center", fontsize=15)
        _arrow(ax, (0, 0), key.tolist(), NEW, linewidth=2.4)
        ax.text(*(key + torch.tensor([0.15, 0.2])).tolist(), "k*", color=NEW, fontsize=15)
    return picture


def _draw_keys(ax, keys: torch.Tensor, shares: torch.Tensor, direction: Sequence):
    """Keys of ordinary text, the darker the more of the edit they feel, and the line of none."""
    ax.scatter(*keys.T.tolist(), c=shares.tolist(), cmap="Greys", vmin=-0.15, vmax=1, s=22)
    unit = direction / direction.norm()
    along = torch.tensor([-unit[1], unit[0]])
    ends = torch.stack([-5 * along, 5 * along]).T.tolist()
    ax.plot(*ends, "--", color=TRUE, linewidth=1.6)
    place = along * (-3.3 if along[0] > 0 else 3.3) - 0.5 * unit
    halo = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.text(*place.tolist(), say("idea_deaf"), color=TRUE, ha="center", va="center", bbox=halo)
    ax.set_xlim(-4.7, 4.7)
    ax.set_ylim(-3.1, 3.1)
    ax.set_aspect("equal")
