"""Pictures of maps and of edits. Each function takes data and returns a Figure of its own; nothing here is shown or kept.

Colours are Okabe and Ito's, told apart by colour-blind readers; hatching and position say the same without colour.
"""

import io
from functools import partial
from statistics import fmean

import torch

from keyhole.probes import PROBE_KINDS
from keyhole.tracing import average_effects

TRUE, NEW, GREY = "#0072B2", "#D55E00", "#595959"
EXPECTED = {
    "original": "the edited prompt:\nthe new one should win",
    "paraphrase": "in other words:\nthe new one should win",
    "neighborhood": "other subjects:\ntheir own should stay",
    "reversion": "asked backwards:\nrarely follows",
    "portability": "what follows from it:\nmay follow, may not",
}


def _png(picture):
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png")
    return buffer.getvalue()


def _picture(width, height, columns=1, title=None):
    """An empty Figure of so many inches, and its axes without the lines that say nothing."""
    from matplotlib.figure import (
        Figure,
    )  # here: the grader runs a notebook's imports, and draws nothing

    picture = Figure(figsize=(width, height), dpi=110, layout="constrained")
    picture._repr_png_ = partial(_png, picture)  # a notebook shows it as it is, without pyplot
    axes = picture.subplots(1, columns, sharey=True, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8)
    if title:
        picture.suptitle(title, fontsize=11)
    return picture, axes


def before_after(before, after, title=None):
    """Probabilities of the true and of the new target on each kind of probe, before and after an edit.

    before, after: lists of keyhole.probes.Answer for the same probes in the same order. A bar is the mean over the probes of
    a kind, a dot is one probe.
    """
    kinds = [kind for kind in PROBE_KINDS if any(answer.kind == kind for answer in before)]
    picture, axes = _picture(2.15 * len(kinds) + 0.5, 3.6, len(kinds), title)
    for ax, kind in zip(axes, kinds):
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old.kind == kind]
        means = _bars(ax, [[old.true for old, _ in pairs], [new.true for _, new in pairs]], 0, TRUE)
        means += _bars(ax, [[old.new for old, _ in pairs], [new.new for _, new in pairs]], 2.5, NEW)
        ax.set_title(kind, fontsize=10, fontweight="bold", pad=22)
        ax.text(
            0.5,
            1.015,
            EXPECTED[kind],
            transform=ax.transAxes,
            ha="center",
            va="bottom",
            fontsize=7.5,
            color=GREY,
        )
        # The numbers stand below, where no dot covers them.
        ax.set_xticks(
            [0, 1, 2.5, 3.5],
            [f"{when} {mean:.2f}" for when, mean in zip(["before", "after"] * 2, means)],
            rotation=90,
            fontsize=8,
        )
        ax.tick_params(axis="x", length=0)
        for place, color, word in (
            (0.5, TRUE, _word(pairs, "target_true", "true answer")),
            (3, NEW, _word(pairs, "target_new", "new target")),
        ):
            ax.annotate(
                word,
                (place, 0),
                (0, -58),
                xycoords=ax.get_xaxis_transform(),
                textcoords="offset points",
                ha="center",
                va="top",
                fontsize=9,
                color=color,
            )
    axes[0].set_ylim(0, 1.03)
    axes[0].set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes[0].set_ylabel("probability", fontsize=9)
    return picture


def _bars(ax, values, left, color):
    """Before, hatched, and after, full: [[one value a probe], [one value a probe]]. Returns the two means."""
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


def loss_curve(losses):
    """The losses of an optimisation, step by step, in nats."""
    picture, [ax] = _picture(5, 2.8)
    steps = range(1, len(losses) + 1)
    ax.plot(steps, losses, "o-", color=TRUE, markersize=3.5, linewidth=1.3)
    if min(losses) > 0:
        ax.set_yscale("log")
    for i, shift in {len(losses) - 1: (0, -13), 0: (10, 5)}.items():
        ax.annotate(
            f"{losses[i]:.2g}",
            (i + 1, losses[i]),
            shift,
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
        )
    ax.margins(y=0.2)
    ax.set_xlim(0.5, len(losses) + 0.5)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("step", fontsize=9)
    ax.set_ylabel("loss in nats", fontsize=9)
    return picture


def singular_values(change, count=8):
    """The first singular values of a change of W (d_out, d_in), in units of the first: rank one shows as one bar."""
    values = torch.linalg.svdvals(change.detach().double().cpu())[:count]
    shares = (values / values[0] if values[0] > 0 else values).tolist()
    picture, [ax] = _picture(5, 2.6)
    places = range(1, len(shares) + 1)
    ax.bar(places, shares, color=TRUE, width=0.7)
    for place, share in zip(places, shares):
        ax.text(
            place,
            share + 0.02,
            (
                "1"
                if share == 1
                else "0"
                if share == 0
                else f"{share:.0e}"
                if share < 0.01
                else f"{share:.2f}"
            ),
            ha="center",
            va="bottom",
            fontsize=8,
        )
    ax.set_ylim(0, 1.12)
    ax.set_xticks(list(places))
    ax.set_xlabel(f"singular values of Ŵ − W (the first is {values[0]:.3g})", fontsize=9)
    ax.set_ylabel("in units of the first", fontsize=9)
    return picture


def moment_spectrum(moment):
    """The eigenvalues of a second moment C (d_in, d_in), falling, and how ill conditioned it is."""
    values = torch.linalg.eigvalsh(moment.detach().double().cpu()).flip(0)
    # Below this an eigenvalue is rounding of the float32 that C was stored in: nothing that can be inverted.
    full = values > values[0] * len(values) * torch.finfo(torch.float32).eps
    rank, whole = int(full.sum()), bool(full.all())
    said = (
        f"condition number {values[0] / values[-1]:,.0f}: C is invertible"
        if whole
        else f"rank {rank} of {len(values)}: C is not invertible"
    )
    picture, [ax] = _picture(5, 2.8, title=said)
    ax.plot(range(1, rank + 1), values[:rank].tolist(), color=TRUE, linewidth=1.6)
    if not whole:
        ax.axvspan(
            rank + 0.5, len(values), facecolor="white", edgecolor=NEW, hatch="////", linewidth=0
        )
        ax.text(
            (rank + len(values)) / 2,
            0.5,
            "zero",
            transform=ax.get_xaxis_transform(),
            ha="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none"},
        )
    ax.set_yscale("log")
    ax.set_xlabel("eigenvalues of C, the largest first", fontsize=9)
    return picture


# ---------------------------------------------------------------- causal tracing

# One hue a kind, each from light to dark: in black and white the dark cells are still the strong ones.
SHADES = {"state": "Purples", "mlp": "Greens", "attention": "Reds"}
RESTORED = {
    "state": "one state restored",
    "mlp": "MLP outputs restored",
    "attention": "attention outputs restored",
}
# A colour, a line and a mark for each role of a token, so that any one of them is enough.
CURVES = (
    ("#56B4E9", ":", "v"),
    ("#009E73", "-.", "s"),
    ("#D55E00", "-", "o"),
    ("#E69F00", "--", "^"),
    ("#595959", ":", "x"),
    ("#0072B2", "-", "D"),
)


def heat_map(found, ax=None, limits=None):
    """A CausalMap as in the paper: tokens down, those of the subject starred, layers across, the answer's probability as shade. (ROME, fig. 1)

    `limits` (lowest, highest) of the shades; from the corrupted probability up to the highest cell unless given.
    """
    picture = None
    if ax is None:
        picture, [ax] = _picture(
            6.2, 0.24 * len(found.tokens) + 1.6, title=f"{found.prompt} → {_token(found.answer)}"
        )
    low, high = limits or (
        min(found.corrupted, _lowest(found)),
        max(_highest(found), found.corrupted + 0.01),
    )
    values = found.values.numpy()
    ax.set_facecolor("#DDDDDD")  # what was not asked for
    cells = ax.pcolormesh(
        values, cmap=SHADES[found.kind], vmin=low, vmax=high, edgecolors="white", linewidth=0.3
    )
    ax.invert_yaxis()
    starred = range(*found.span)
    ax.set_yticks(
        [row + 0.5 for row in range(len(found.tokens))],
        [_token(token) + ("*" if row in starred else "") for row, token in enumerate(found.tokens)],
        fontsize=8.5,
    )
    layers = values.shape[1]
    step = 5 if layers > 12 else 1
    ax.set_xticks([layer + 0.5 for layer in range(0, layers, step)], range(0, layers, step))
    ax.tick_params(length=2)
    what = RESTORED[found.kind] + (
        f", window of {found.window} layers" if found.kind != "state" else ""
    )
    ax.set_xlabel(
        "layer" if found.kind == "state" else "layer in the middle of the window", fontsize=9
    )
    ax.set_title(what, fontsize=10)
    bar = ax.figure.colorbar(cells, ax=ax, pad=0.02, aspect=12)
    bar.ax.tick_params(labelsize=7.5)
    bar.set_label(f"p({_token(found.answer)})", fontsize=9)
    if bar.norm.vmin <= found.corrupted <= bar.norm.vmax:  # where "no effect" is on the scale
        bar.ax.axhline(found.corrupted, color="black", linewidth=1)
    return picture


def heat_maps(maps, title=None):
    """Several maps of one prompt, side by side, each with shades of its own kind and all of the same limits."""
    picture, axes = _picture(
        5.1 * len(maps) + 0.4, 0.24 * len(maps[0].tokens) + 1.6, len(maps), title
    )
    low = min(min(found.corrupted, _lowest(found)) for found in maps)
    high = max(max(_highest(found), found.corrupted + 0.01) for found in maps)
    for ax, found in zip(axes, maps, strict=True):
        heat_map(found, ax, (low, high))
    axes[0].set_ylim(len(maps[0].tokens), 0)
    return picture


def _lowest(found):
    return float(found.values[found.values.isfinite()].min())


def _highest(found):
    return float(found.values[found.values.isfinite()].max())


def _token(text):
    """A token as a label: mathematics and line ends are no business of a label."""
    text = text.strip() or text.replace(" ", "␣")
    return (text if text.isprintable() else repr(text)[1:-1]).replace("$", r"\$")


def effect_curves(maps, title=None):
    """The average indirect effect over maps of one kind, layer by layer, a curve for each role of a token; the band is one standard error. (ROME, fig. 2)"""
    averages = average_effects(maps)
    picture, [ax] = _picture(7, 3.4, title=title)
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
            label=f"{role} ({count})",
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
    ax.set_xlabel(
        "layer" if maps[0].kind == "state" else "layer in the middle of the window", fontsize=9
    )
    ax.set_ylabel("average indirect effect\n(probability)", fontsize=9)
    ax.legend(
        fontsize=7.5,
        frameon=False,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        title="token (number of prompts)",
        title_fontsize=8,
    )
    return picture


def effect_bars(facts, layer):
    """One bar a map: the indirect effect at the subject's last token in `layer`, falling; the spread behind an average."""
    rows = sorted(
        ((float(found.effects[found.span[1] - 1, layer]), found) for found in facts),
        key=lambda row: row[0],
    )
    picture, [ax] = _picture(6.2, 0.21 * len(rows) + 0.9)
    places = range(len(rows))
    ax.barh(places, [effect for effect, _ in rows], color=TRUE, height=0.7)
    for place, (effect, _) in zip(places, rows):
        ax.annotate(
            f"{effect:.2f}",
            (max(effect, 0), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
    ax.set_yticks(
        places, [f"{found.subject} → {_token(found.answer)}" for _, found in rows], fontsize=8
    )
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.margins(x=0.12)
    ax.set_xlabel(
        f"indirect effect of the state at the subject's last token, layer {layer}", fontsize=9
    )
    return picture


def expected_and_obtained(expected, obtained, rows="token", columns="layer", title=None):
    """Two small matrices beside one another on one scale, and where they differ."""
    picture, axes = _picture(9.2, 0.16 * len(expected) + 1.7, 3, title)
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
        ax.set_title(name, fontsize=10)
        ax.set_xlabel(columns, fontsize=9)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.figure.colorbar(cells, ax=ax, pad=0.02).ax.tick_params(labelsize=7)
    axes[0].yaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel(rows, fontsize=9)
    return picture
