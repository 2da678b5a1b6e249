"""Pictures of maps and of edits.

Each function takes data and returns a new Figure; nothing here is shown or written. Colours are
Okabe and Ito's, which colour-blind readers can tell apart; hatching and position say the same
without colour. Words are in the language spoken; where no font has its characters, in English. A
notebook on a projector shows a picture in its own size, so none is wider, and no letter smaller,
than `STYLE` and `WIDEST` allow.
"""

import io
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial, wraps
from statistics import fmean
from typing import TYPE_CHECKING

import torch

from keyhole.fonts import chinese_font, drawable, lacks_font
from keyhole.messages import language, pictured, shown
from keyhole.probes import Answer
from keyhole.text import short_numbers
from keyhole.tracing import CausalMap, average_effects

if TYPE_CHECKING:  # the grader runs a notebook's imports, and draws nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRUE, NEW, GREY = "#0072B2", "#D55E00", "#595959"
SMALLEST = 11  # points: what the last row of a lecture hall can read
WIDEST = 9.0  # inches, at 110 dots each: a cell's output on a screen of 1280 dots
STYLE = {
    "font.size": SMALLEST,
    "axes.labelsize": SMALLEST,
    "axes.titlesize": 12,
    "figure.titlesize": 12,
    "legend.fontsize": SMALLEST,
    "legend.title_fontsize": SMALLEST,
}


def say(name: str, /, **details: object) -> str:
    """Words of a picture: in the language spoken if they can be drawn, else in English."""
    return pictured(name, "en" if lacks_font(search=False) else language(), **details)


def _given(text):
    """A text that the caller gives, as far as it can be drawn."""
    return drawable(say(text)) if text else text


@cache
def _tell_of_font():
    """Warn that pictures speak English: once, not for each picture."""
    warnings.warn(shown("no_font"), stacklevel=4)


def in_style(draw: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Draw with our sizes, and behind the usual font one with Chinese characters, if there is."""

    @wraps(draw)
    def drawn(*args, **kwargs):
        from matplotlib import rc_context  # late: see above

        if lacks_font():
            _tell_of_font()
        families = [name for name in ("DejaVu Sans", chinese_font()) if name]
        with rc_context({**STYLE, "font.family": families}):
            return draw(*args, **kwargs)

    return drawn


def _png(picture):
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png")
    return buffer.getvalue()


def _picture(width, height, columns=1, title=None):
    """An empty Figure, its size in inches, and its axes without the lines that say nothing."""
    from matplotlib.figure import Figure  # late: see above

    picture = Figure(figsize=(width, height), dpi=110, layout="constrained")
    picture._repr_png_ = partial(_png, picture)  # a notebook shows it as it is, without pyplot
    axes = picture.subplots(1, columns, sharey=True, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=SMALLEST)
    if title:
        picture.suptitle(_given(title))
    return picture, axes


def canvas(width: float, height: float, columns: int = 1) -> tuple["Figure", Sequence["Axes"]]:
    """An empty picture, and its axes without any frame, to draw in. Sizes are in inches."""
    picture, axes = _picture(width, height, columns)
    for ax in axes:
        ax.set_axis_off()
    return picture, axes


def _legend_below(picture, ax):
    """What the lines of `ax` are, under the whole picture, where it covers nothing."""
    picture.legend(
        *ax.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )


@in_style
def before_after(
    before: Sequence[Answer], after: Sequence[Answer], title: str | None = None
) -> "Figure":
    """Probabilities of both targets on each kind of probe, before and after an edit.

    `before` and `after` have the same probes in the same order. A bar is the mean over the probes
    of a kind, a dot is one probe. Raises ValueError where the lists differ in length.
    """
    kinds = list(dict.fromkeys(answer.kind for answer in before))
    picture, axes = _picture(1.64 * len(kinds) + 0.8, 4.7, len(kinds), title)
    for ax, kind in zip(axes, kinds):
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old.kind == kind]
        _draw_kind(ax, kind, pairs)
    axes[0].set_ylim(0, 1.03)
    axes[0].set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes[0].set_ylabel(say("probability"))
    return picture


def _draw_kind(ax, kind, pairs):
    """The bars of one kind of probe; `pairs` are the answers before and after, [(old, new)]."""
    means = _bars(ax, [[old.true for old, _ in pairs], [new.true for _, new in pairs]], 0, TRUE)
    means += _bars(ax, [[old.new for old, _ in pairs], [new.new for _, new in pairs]], 2.5, NEW)
    ax.set_title(kind, fontweight="bold", pad=52)
    ax.text(
        0.5,
        1.015,
        say(f"expected_{kind}"),
        transform=ax.transAxes,
        ha="center",
        va="bottom",
        color=GREY,
    )
    # The numbers stand below, where no dot covers them.
    ax.set_xticks(
        [0, 1, 2.5, 3.5],
        [say(when, mean=f"{mean:.2f}") for when, mean in zip(["before", "after"] * 2, means)],
        rotation=90,
    )
    ax.tick_params(axis="x", length=0)
    true = _word(pairs, "target_true", say("true_answer"))
    new = _word(pairs, "target_new", say("new_target"))
    below = 16 if len(true) + len(new) > 16 else 0  # beside one another they would touch
    for place, color, word, lower in ((0.5, TRUE, true, 0), (3, NEW, new, below)):
        ax.annotate(
            word,
            (place, 0),
            (0, -84 - lower),
            xycoords=ax.get_xaxis_transform(),
            textcoords="offset points",
            ha="center",
            va="top",
            color=color,
        )


def _bars(ax, values, left, color):
    """Before, hatched, and after, full; each a list with one value a probe. Returns both means."""
    means = [fmean(each) for each in values]
    for x, mean, each, style in zip(
        (left, left + 1),
        means,
        values,
        ({"facecolor": "white", "hatch": "////"}, {"facecolor": color}),
        strict=True,
    ):
        ax.bar(x, mean, width=0.9, edgecolor=color, linewidth=1.2, **style)
        if len(each) > 1:
            spread = [x + 0.6 * (i / (len(each) - 1) - 0.5) for i in range(len(each))]
            ax.plot(
                spread,
                each,
                "o",
                markersize=3.5,
                color="black",
                markeredgecolor="white",
                markeredgewidth=0.6,
                clip_on=False,
            )
    return means


def _word(pairs, field, otherwise):
    """The target that all probes of a kind share, or what it is called."""
    words = {getattr(old.probe, field).strip() for old, _ in pairs}
    word = words.pop() if len(words) == 1 else otherwise
    return word if len(word) <= 14 else word[:13] + "…"


@in_style
def loss_curve(losses: Sequence[float]) -> "Figure":
    """The losses of an optimisation, step by step, in nats."""
    picture, [ax] = _picture(6, 3.2)
    steps = range(1, len(losses) + 1)
    ax.plot(steps, losses, "o-", color=TRUE, markersize=3.5, linewidth=1.3)
    if min(losses) > 0:
        ax.set_yscale("log")
    for i, shift in {len(losses) - 1: (0, -13), 0: (10, 5)}.items():
        ax.annotate(
            f"{losses[i]:.2g}", (i + 1, losses[i]), shift, textcoords="offset points", ha="center"
        )
    ax.margins(y=0.2)
    ax.set_xlim(0.5, len(losses) + 0.5)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel(say("step"))
    ax.set_ylabel(say("loss"))
    return picture


@in_style
def singular_values(change: torch.Tensor, count: int = 8) -> "Figure":
    """The first singular values of a change of W (d_out, d_in), in units of the first.

    A change of rank one shows as one bar.
    """
    values = torch.linalg.svdvals(change.detach().double().cpu())[:count]
    shares = (values / values[0] if values[0] > 0 else values).tolist()
    picture, [ax] = _picture(6.6, 3)
    places = range(1, len(shares) + 1)
    ax.bar(places, shares, color=TRUE, width=0.7)
    for place, share in zip(places, shares):
        ax.text(place, share + 0.02, _share(share), ha="center", va="bottom")
    ax.set_ylim(0, 1.12)
    ax.set_xticks(list(places))
    ax.set_xlabel(say("singular_values", first=f"{values[0]:.3g}"))
    ax.set_ylabel(say("in_units"))
    return picture


def _share(share):
    """A share in few characters: "1", "0", "3e-05" or "0.25"."""
    if share in (0, 1):
        return f"{share:.0f}"
    return f"{share:.0e}" if share < 0.01 else f"{share:.2f}"


@in_style
def moment_spectrum(moment: torch.Tensor, threshold: float | None = None) -> "Figure":
    """The eigenvalues of a second moment C (d_in, d_in), falling, and how ill conditioned it is.

    Those below a `threshold` are marked.
    """
    values = torch.linalg.eigvalsh(moment.detach().double().cpu()).flip(0)
    # C was stored in float32. An eigenvalue below this is rounding, and cannot be inverted.
    full = values > values[0] * len(values) * torch.finfo(torch.float32).eps
    rank, whole = int(full.sum()), bool(full.all())
    said = (
        say("invertible", number=f"{values[0] / values[-1]:,.0f}")
        if whole
        else say("not_invertible", rank=rank, all=len(values))
    )
    picture, [ax] = _picture(6, 3.2, title=said)
    ax.plot(range(1, rank + 1), values[:rank].tolist(), color=TRUE, linewidth=1.6)
    if not whole:
        ax.axvspan(
            rank + 0.5, len(values), facecolor="white", edgecolor=NEW, hatch="////", linewidth=0
        )
        ax.text(
            (rank + len(values)) / 2,
            0.5,
            say("zero"),
            transform=ax.get_xaxis_transform(),
            ha="center",
            bbox={"facecolor": "white", "edgecolor": "none"},
        )
    if threshold is not None:
        small = int((values < threshold).sum())
        ax.axhline(threshold, color=NEW, linestyle="--", linewidth=1)
        ax.axvspan(len(values) - small, len(values), color=NEW, alpha=0.12, linewidth=0)
        ax.text(
            len(values) - small / 2,
            0.9,
            say("below", count=small, threshold=f"{threshold:g}"),
            transform=ax.get_xaxis_transform(),
            ha="center",
        )
    ax.set_yscale("log")
    ax.set_xlabel(say("eigenvalues"))
    ax.set_ylabel(say("eigenvalue"))
    return picture


# ---------------------------------------------------------------- causal tracing

# One hue a kind, each from light to dark: without colour the dark cells are still the strong ones.
SHADES = {"state": "Purples", "mlp": "Greens", "attention": "Reds"}
# A colour, a line and a mark for each role of a token, so that any one of them is enough.
CURVES = (
    ("#56B4E9", ":", "v"),
    ("#009E73", "-.", "s"),
    ("#D55E00", "-", "o"),
    ("#E69F00", "--", "^"),
    ("#595959", ":", "x"),
    ("#0072B2", "-", "D"),
)


@in_style
def heat_map(causal_map: CausalMap) -> "Figure":
    """A map as in the paper: tokens down, layers across, the answer's probability as shade.

    The subject's tokens have a star. The shades reach from the corrupted probability, or a lower
    cell, up to the highest cell. (ROME, fig. 1)
    """
    title = f"{causal_map.prompt} → {_token(causal_map.answer)}"
    picture, [ax] = _picture(7, 0.26 * len(causal_map.tokens) + 1.6, title=title)
    _draw_map(causal_map, ax, _limits(causal_map))
    return picture


@in_style
def heat_maps(maps: Sequence[CausalMap], title: str | None = None) -> "Figure":
    """Several maps of one prompt, side by side, each in its kind's hue, with the same limits."""
    size = 2.7 * len(maps) + 0.9, 0.26 * len(maps[0].tokens) + 1.9
    picture, axes = _picture(*size, len(maps), title)
    lows, highs = zip(*map(_limits, maps))
    for ax, each in zip(axes, maps, strict=True):
        _draw_map(each, ax, (min(lows), max(highs)), lines=0)
    axes[0].set_ylim(len(maps[0].tokens), 0)
    return picture


def _limits(causal_map):
    """The lowest and the highest probability that the shades of a map must show."""
    values = causal_map.values[causal_map.values.isfinite()]
    low, high = float(values.min()), float(values.max())
    return min(causal_map.corrupted, low), max(high, causal_map.corrupted + 0.01)


def _draw_map(causal_map, ax: "Axes", limits, lines=0.3):
    low, high = limits
    values = causal_map.values.numpy()
    ax.set_facecolor("#DDDDDD")  # what was not asked for
    cells = ax.pcolormesh(
        values,
        cmap=SHADES[causal_map.kind],
        vmin=low,
        vmax=high,
        edgecolors="white",
        linewidth=lines,
    )
    ax.invert_yaxis()
    starred = range(*causal_map.span)
    ax.set_yticks(
        [row + 0.5 for row in range(len(causal_map.tokens))],
        [
            _token(token) + ("*" if row in starred else "")
            for row, token in enumerate(causal_map.tokens)
        ],
    )
    layers = values.shape[1]
    step = 5 if layers > 12 else 1
    ax.set_xticks([layer + 0.5 for layer in range(0, layers, step)], range(0, layers, step))
    ax.tick_params(length=2)
    ax.set_xlabel(say("layer" if causal_map.kind == "state" else "middle_layer"))
    ax.set_title(say(causal_map.kind, window=causal_map.window))
    bar = ax.figure.colorbar(cells, ax=ax, pad=0.02, aspect=12)
    bar.ax.tick_params(labelsize=SMALLEST)
    bar.set_label(f"p({_token(causal_map.answer)})")
    if bar.norm.vmin <= causal_map.corrupted <= bar.norm.vmax:  # where "no effect" is on the scale
        bar.ax.axhline(causal_map.corrupted, color="black", linewidth=1)


def _token(text):
    """A token as a label, in which matplotlib sees no mathematics and no line end."""
    text = text.strip() or text.replace(" ", "␣")
    return (text if text.isprintable() else repr(text)[1:-1]).replace("$", r"\$")


@in_style
def effect_curves(maps: Sequence[CausalMap], title: str | None = None) -> "Figure":
    """The average indirect effect over maps of one kind, a curve over layers for each role.

    The band is one standard error. (ROME, fig. 2)
    """
    averages = average_effects(maps)
    picture, [ax] = _picture(8.8, 3.8, title=title)
    for (role, (mean, error, count)), (color, line, mark) in zip(averages.items(), CURVES):
        layers = range(len(mean))
        strong = role in ("last subject token", "last token")
        ax.plot(
            layers,
            mean.tolist(),
            line,
            color=color,
            marker=mark,
            markevery=3,
            markersize=4,
            linewidth=2 if strong else 1.2,
            label=f"{say(role)} ({count})",
        )
        if strong:
            ax.fill_between(
                layers,
                (mean - error).tolist(),
                (mean + error).tolist(),
                color=color,
                alpha=0.2,
                linewidth=0,
            )
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel(say("layer" if maps[0].kind == "state" else "middle_layer"))
    ax.set_ylabel(say("average_effect"))
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5), title=say("roles"))
    return picture


@in_style
def effect_bars(maps: Sequence[CausalMap], layer: int) -> "Figure":
    """One bar a map, the largest on top: the effect at the subject's last token in `layer`.

    It shows the spread behind an average.
    """
    rows = sorted(
        ((float(each.effects[each.span[1] - 1, layer]), each) for each in maps),
        key=lambda row: row[0],
    )
    picture, [ax] = _picture(8.2, 0.25 * len(rows) + 0.9)
    places = range(len(rows))
    ax.barh(places, [effect for effect, _ in rows], color=TRUE, height=0.7)
    for place, (effect, _) in zip(places, rows):
        ax.annotate(
            f"{effect:.2f}",
            (max(effect, 0), place),
            (4, 0),
            textcoords="offset points",
            va="center",
        )
    ax.set_yticks(places, [f"{each.subject} → {_token(each.answer)}" for _, each in rows])
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.margins(x=0.12)
    ax.set_xlabel(say("effect_at", layer=layer))
    return picture


@in_style
def expected_and_obtained(
    expected: torch.Tensor,
    obtained: torch.Tensor,
    rows: str = "token",
    columns: str = "layer",
    title: str | None = None,
) -> "Figure":
    """Two small matrices beside one another on one scale, and where they differ.

    `rows` and `columns` name what the axes count.
    """
    picture, axes = _picture(WIDEST, 0.2 * len(expected) + 1.9, 3, title)
    expected, obtained = expected.detach().double(), obtained.detach().double()
    high = max(float(expected.abs().max()), 1e-12)
    low = min(float(expected.min()), 0.0)
    for ax, values, name in zip(
        axes, (expected, obtained, (obtained - expected).abs()), ("expected", "yours", "difference")
    ):
        cells = ax.imshow(
            values.numpy(),
            cmap="Greys" if name == "difference" else "viridis",
            vmin=0 if name == "difference" else low,
            vmax=high,
            aspect="auto",
        )
        ax.set_title(say(name))
        ax.set_xlabel(_given(columns))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.figure.colorbar(cells, ax=ax, pad=0.02).ax.tick_params(labelsize=SMALLEST)
    axes[0].yaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel(_given(rows))
    return picture


@in_style
def numbers_compared(rows: Mapping[str, tuple[float, float]], title: str | None = None) -> "Figure":
    """Numbers that were expected, and those obtained: {what it is: (expected, obtained)}.

    One that is no finite number is left out.
    """
    picture, [ax] = _picture(8, 0.5 * len(rows) + 1.4, title=title)
    pairs = list(rows.values())
    shown = [number for pair in pairs for number in pair if math.isfinite(number)]
    if min(shown) > 0 and max(shown) > 100 * min(shown):
        ax.set_xscale("log")
    for place, pair in enumerate(pairs):
        ax.plot(pair, (place, place), color=GREY, linewidth=1, zorder=1)
        for number, text, above in zip(pair, short_numbers(*pair), (8, -15)):
            if math.isfinite(number):
                ax.annotate(text, (number, place), (0, above), textcoords="offset points").set(
                    ha="center", color=TRUE if above > 0 else NEW
                )
    for column, mark, color, name in ((0, "o", TRUE, "expected"), (1, "X", NEW, "yours")):
        ax.plot([pair[column] for pair in pairs], range(len(pairs)), mark, color=color, ms=7)
        ax.lines[-1].set_label(say(name))
    ax.set_yticks(range(len(pairs)), map(_given, rows))
    ax.set_ylim(len(pairs) - 0.4, -0.6)
    ax.margins(x=0.12)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return picture


@in_style
def vectors_compared(
    expected: torch.Tensor, obtained: torch.Tensor, title: str | None = None
) -> "Figure":
    """Two vectors of one length, number by number."""
    picture, [ax] = _picture(8, 3.2, title=title)
    places = range(len(expected))
    ax.vlines(places, expected.tolist(), obtained.tolist(), color=GREY, linewidth=1, zorder=1)
    ax.plot(places, expected.tolist(), "o", color=TRUE, ms=6, label=say("expected"))
    ax.plot(places, obtained.tolist(), "X", color=NEW, ms=6, label=say("yours"))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_xlabel(say("entry"))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return picture


# ---------------------------------------------------------------- many edits


@in_style
def edit_curves(
    curves: Mapping[str, Sequence[Mapping]], here: Mapping[int, Mapping[str, float]] | None = None
) -> "Figure":
    """S in percent after more and more edits, a curve for each editor: both ways to count.

    curves: as keyhole.many.load_curves()["many edits"]; a bar is one standard deviation over
    orders of the facts. here: {number of edits: {"by probability", "by generation"}}, points that
    were measured just now.
    """
    picture, axes = _picture(WIDEST, 4.6, 2, say("many_edits"))
    for ax, (title, name) in zip(axes, (("by probability", "S"), ("by generation", "S said"))):
        for (editor, points), (color, line, mark) in zip(curves.items(), CURVES[1:]):
            means, errors = zip(*(point["values"][name] for point in points))
            ax.errorbar(
                [point["edits"] for point in points],
                [100 * mean for mean in means],
                [100 * error for error in errors],
                color=color,
                linestyle=line,
                marker=mark,
                markersize=4,
                linewidth=1.3,
                capsize=2,
                label=_given(editor),
            )
        if here:
            ax.plot(
                list(here),
                [each[title] for each in here.values()],
                "*",
                color="black",
                markersize=10,
                label=say("measured_here"),
            )
        ax.set_xscale("log")
        apart: list[int] = []
        for point in next(iter(curves.values())):
            if not apart or point["edits"] > 1.5 * apart[-1]:
                apart.append(point["edits"])
        ax.set_xticks(apart, apart)
        ax.minorticks_off()
        ax.set_title(say(title))
        ax.set_xlabel(say("edits"))
    axes[0].set_ylabel(say("S"))
    _legend_below(picture, axes[0])
    return picture


@in_style
def score_bars(rows: Mapping[str, Mapping], title: str) -> "Figure":
    """S in percent of several editors, by probability and by generation: two bars for each.

    rows: {editor: {"S", "S said"}}, each a share or [share, standard deviation].
    """
    picture, [ax] = _picture(WIDEST, 0.6 * len(rows) + 1.6, title=title)
    for shift, name, color, hatch, label in (
        (-0.2, "S", TRUE, "", "by probability"),
        (0.2, "S said", NEW, "////", "by generation"),
    ):
        pairs = [
            each[name] if isinstance(each[name], list) else [each[name], 0]
            for each in rows.values()
        ]
        places = [place + shift for place in range(len(rows))]
        ax.barh(
            places,
            [100 * mean for mean, _ in pairs],
            height=0.36,
            xerr=[100 * error for _, error in pairs],
            facecolor="white" if hatch else color,
            edgecolor=color,
            hatch=hatch,
            error_kw={"linewidth": 0.8},
            label=say(label),
        )
        for place, (mean, error) in zip(places, pairs):
            ax.text(100 * (mean + error) + 1, place, f"{100 * mean:.0f}", va="center")
    ax.set_yticks(range(len(rows)), list(map(_given, rows)))
    ax.invert_yaxis()
    ax.set_xlim(0, 108)
    ax.set_xlabel(say("S"))
    _legend_below(picture, ax)
    return picture


@in_style
def layer_curves(rows: Sequence[Mapping]) -> "Figure":
    """Where a fact is recalled, and where it can be edited: means over facts, layer by layer.

    rows: as keyhole.many.load_curves()["where"]. A dot is one fact.
    """
    picture, [ax] = _picture(8, 4.4)
    layers = sorted({row["layer"] for row in rows})
    for (name, label), (color, line, mark) in zip(
        (("state", "effect_of_state"), ("mlp", "effect_of_mlp"), ("S", "S_after")), CURVES[1:]
    ):
        means = [fmean(row[name] for row in rows if row["layer"] == layer) for layer in layers]
        ax.plot(layers, means, line, color=color, marker=mark, markersize=5, label=say(label))
        ax.plot(
            [row["layer"] for row in rows],
            [row[name] for row in rows],
            ".",
            color=color,
            alpha=0.35,
            markersize=4,
        )
    ax.set_xticks(layers)
    ax.set_xlabel(say("layer"))
    ax.set_ylabel(say("effect_or_S"))
    _legend_below(picture, ax)
    return picture


# ---------------------------------------------------------------- learned editors, and lenses


@in_style
def learning_curves(looks: Mapping[str, Sequence[Sequence[float]]]) -> "Figure":
    """The losses of editors while they learn: facts they train on (dotted), facts held out.

    looks: {editor: looks of keyhole.learned.train_editor}. A star is the step that is kept.
    """
    picture, [ax] = _picture(WIDEST, 3.6)
    for (editor, points), (color, line, mark) in zip(looks.items(), CURVES[1:]):
        steps, training, held_out = zip(*points)
        ax.plot(steps, training, ":", color=color, linewidth=1)
        ax.plot(steps, held_out, line, color=color, marker=mark, markersize=4, label=_given(editor))
        best = min(points, key=lambda point: point[2])
        ax.plot(best[0], best[2], "*", color=color, markersize=12, markeredgecolor="black")
    ax.set_xlabel(say("steps_of_training"))
    ax.set_ylabel(say("loss"))
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), title=say("held_out"))
    return picture


@in_style
def rank_map(ranks: torch.Tensor, tokens: Sequence[str], answer: str) -> "Figure":
    """Which rank the answer has where the head reads a state of the middle: (tokens, layers)."""
    from matplotlib.colors import LogNorm  # late: see above

    picture, [ax] = _picture(8, 0.27 * len(tokens) + 1.4)
    scale = LogNorm(1, max(float(ranks.max()), 10))
    cells = ax.pcolormesh(ranks.double().numpy(), cmap="Purples_r", norm=scale)
    ax.invert_yaxis()
    ax.set_yticks([row + 0.5 for row in range(len(tokens))], map(_token, tokens))
    ax.set_xticks([layer + 0.5 for layer in range(0, ranks.shape[1], 5)])
    ax.set_xticklabels(range(0, ranks.shape[1], 5))
    ax.set_xlabel(say("state_after"))
    bar = ax.figure.colorbar(cells, ax=ax, pad=0.02, aspect=12)
    bar.ax.tick_params(labelsize=SMALLEST)
    bar.set_label(say("rank_of", answer=_token(answer)))
    return picture


@in_style
def lines_over_layers(
    curves: Mapping[str, Sequence[float]], what: str, logarithmic: bool = False
) -> "Figure":
    """A line for each entry of `curves`: a number for each layer. `what` names the numbers."""
    picture, [ax] = _picture(WIDEST, 3.4)
    for (label, values), (color, line, mark) in zip(curves.items(), CURVES[1:]):
        ax.plot(
            range(len(values)), values, line, color=color, marker=mark, markersize=3.5, label=label
        )
    if logarithmic:
        ax.set_yscale("log")
    ax.set_xlabel(say("layer"))
    ax.set_ylabel(_given(what))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return picture
