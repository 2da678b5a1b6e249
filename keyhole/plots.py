"""Pictures of an edit. Each function takes data and returns a Figure of its own; nothing here is shown or kept.

Colours are Okabe and Ito's, told apart by colour-blind readers; hatching and position say the same without colour.
"""

import io
from functools import partial
from statistics import fmean

import torch

from keyhole.probes import KINDS

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
    from matplotlib.figure import Figure    # here: the grader runs a notebook's imports, and draws nothing

    picture = Figure(figsize=(width, height), dpi=110, layout="constrained")
    picture._repr_png_ = partial(_png, picture)     # a notebook shows it as it is, without pyplot
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
    kinds = [kind for kind in KINDS if any(answer.kind == kind for answer in before)]
    picture, axes = _picture(2.15 * len(kinds) + 0.5, 3.6, len(kinds), title)
    for ax, kind in zip(axes, kinds):
        pairs = [(old, new) for old, new in zip(before, after, strict=True) if old.kind == kind]
        means = _bars(ax, [[old.true for old, _ in pairs], [new.true for _, new in pairs]], 0, TRUE)
        means += _bars(ax, [[old.new for old, _ in pairs], [new.new for _, new in pairs]], 2.5, NEW)
        ax.set_title(kind, fontsize=10, fontweight="bold", pad=22)
        ax.text(0.5, 1.015, EXPECTED[kind], transform=ax.transAxes, ha="center", va="bottom", fontsize=7.5, color=GREY)
        # The numbers stand below, where no dot covers them.
        ax.set_xticks([0, 1, 2.5, 3.5], [f"{when} {mean:.2f}" for when, mean in zip(["before", "after"] * 2, means)], rotation=90, fontsize=8)
        ax.tick_params(axis="x", length=0)
        for place, color, word in ((0.5, TRUE, _word(pairs, "target_true", "true answer")), (3, NEW, _word(pairs, "target_new", "new target"))):
            ax.annotate(word, (place, 0), (0, -58), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
                        ha="center", va="top", fontsize=9, color=color)
    axes[0].set_ylim(0, 1.03)
    axes[0].set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes[0].set_ylabel("probability", fontsize=9)
    return picture


def _bars(ax, values, left, color):
    """Before, hatched, and after, full: [[one value a probe], [one value a probe]]. Returns the two means."""
    means = [fmean(each) for each in values]
    for x, mean, each, style in zip((left, left + 1), means, values, ({"facecolor": "white", "hatch": "////"}, {"facecolor": color}), strict=True):
        ax.bar(x, mean, width=0.9, edgecolor=color, linewidth=1.2, **style)
        if len(each) > 1:
            spread = [x + 0.6 * (i / (len(each) - 1) - 0.5) for i in range(len(each))]
            ax.plot(spread, each, "o", markersize=3.5, color="black", markeredgecolor="white", markeredgewidth=0.6, clip_on=False)
    return means


def _word(pairs, field, otherwise):
    """The target that all probes of a kind share, or what it is called."""
    words = {getattr(old.probe, field).strip() for old, _ in pairs}
    word = words.pop() if len(words) == 1 else otherwise
    return word if len(word) <= 14 else word[:13] + "…"


def loss_curve(losses):
    """The loss of each step of a search for v*, in nats."""
    picture, [ax] = _picture(5, 2.8)
    steps = range(1, len(losses) + 1)
    ax.plot(steps, losses, "o-", color=TRUE, markersize=3.5, linewidth=1.3)
    if min(losses) > 0:
        ax.set_yscale("log")
    for i, shift in {len(losses) - 1: (0, -13), 0: (10, 5)}.items():
        ax.annotate(f"{losses[i]:.2g}", (i + 1, losses[i]), shift, textcoords="offset points", ha="center", fontsize=8.5)
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
        ax.text(place, share + 0.02, "1" if share == 1 else "0" if share == 0 else f"{share:.0e}" if share < 0.01 else f"{share:.2f}",
                ha="center", va="bottom", fontsize=8)
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
    said = f"condition number {values[0] / values[-1]:,.0f}: C is invertible" if whole else f"rank {rank} of {len(values)}: C is not invertible"
    picture, [ax] = _picture(5, 2.8, title=said)
    ax.plot(range(1, rank + 1), values[:rank].tolist(), color=TRUE, linewidth=1.6)
    if not whole:
        ax.axvspan(rank + 0.5, len(values), facecolor="white", edgecolor=NEW, hatch="////", linewidth=0)
        ax.text((rank + len(values)) / 2, 0.5, "zero", transform=ax.get_xaxis_transform(), ha="center", fontsize=9,
                bbox={"facecolor": "white", "edgecolor": "none"})
    ax.set_yscale("log")
    ax.set_xlabel("eigenvalues of C, the largest first", fontsize=9)
    return picture
