"""Pictures: what is drawn is what was given, without pyplot, without colour alone, and shown by a notebook as it is."""

import subprocess
import sys

import pytest
import torch
from matplotlib.colors import to_rgb

from keyhole import plots
from keyhole.facts import Probe
from keyhole.plots import before_after, loss_curve, moment_spectrum, singular_values
from keyhole.probes import Answer


def answers(shift=0.0, kinds=("original", "paraphrase", "paraphrase", "neighborhood", "reversion", "portability")):
    return [Answer(kind, Probe("p", " Paris" if i < 2 else f" City{i}", " Rome"), 0.5 + 0.05 * i - shift, 0.1 + shift) for i, kind in enumerate(kinds)]


def bars(ax):
    return [patch.get_height() for patch in ax.patches]


def texts(picture):
    return [text.get_text() for ax in picture.axes for text in [*ax.texts, ax.title, *ax.get_xticklabels()]]


def test_before_after_draws_means_and_single_probes():
    picture = before_after(answers(), answers(0.3), title="Eiffel Tower")
    assert [ax.get_title() for ax in picture.axes] == ["original", "paraphrase", "neighborhood", "reversion", "portability"]
    assert bars(picture.axes[1]) == pytest.approx([0.575, 0.275, 0.1, 0.4])
    dots = [list(line.get_ydata()) for line in picture.axes[1].lines]
    assert dots[0] == pytest.approx([0.55, 0.6]) and len(dots) == 4
    assert not picture.axes[0].lines        # one probe is its own mean
    assert {"before 0.57", "after 0.28", "Paris", "Rome", "true answer"} <= set(texts(picture)) or "before 0.58" in texts(picture)
    assert picture.get_suptitle() == "Eiffel Tower"


def test_before_after_is_readable_without_colour():
    for ax in before_after(answers(), answers(0.3)).axes:
        before, after, *_ = ax.patches
        assert before.get_hatch() and not after.get_hatch()
    grey = [sum(weight * channel for weight, channel in zip((0.299, 0.587, 0.114), to_rgb(color))) for color in (plots.TRUE, plots.NEW)]
    assert abs(grey[0] - grey[1]) > 0.08


def test_before_after_takes_fewer_kinds_and_long_names():
    long = [Answer("original", Probe("p", " A very long answer indeed", " Rome"), 0.5, 0.1)]
    picture = before_after(long, long)
    assert len(picture.axes) == 1 and "A very long a…" in texts(picture)


def test_before_after_refuses_lists_that_do_not_match():
    with pytest.raises(ValueError):
        before_after(answers(), answers()[:-1])


def test_loss_curve():
    ax = loss_curve([5.0, 1.0, 0.04]).axes[0]
    assert list(ax.lines[0].get_ydata()) == [5.0, 1.0, 0.04] and ax.get_yscale() == "log"
    assert loss_curve([1.0, -0.5]).axes[0].get_yscale() == "linear"
    loss_curve((2.0,))._repr_png_()


def test_singular_values_show_rank_one_and_nothing():
    change = torch.outer(torch.arange(1.0, 6), torch.arange(1.0, 13)).requires_grad_()
    heights = bars(singular_values(change).axes[0])
    assert heights[0] == 1 and max(heights[1:]) < 1e-6 and len(heights) == 5
    assert len(bars(singular_values(torch.randn(20, 30)).axes[0])) == 8
    assert bars(singular_values(torch.zeros(3, 4)).axes[0]) == [0, 0, 0]


def test_moment_spectrum_says_how_ill_conditioned_c_is():
    picture = moment_spectrum(torch.diag(torch.tensor([8.0, 4.0, 2.0, 0.5])))
    assert picture.get_suptitle() == "condition number 16: C is invertible"
    keys = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    assert moment_spectrum(keys.T @ keys).get_suptitle() == "rank 5 of 12: C is not invertible"


def test_a_notebook_shows_a_picture_and_pyplot_stays_out():
    program = ("import sys, torch\nfrom keyhole.plots import loss_curve\n"
               "png = loss_curve([1.0, 0.5])._repr_png_()\nprint(png[:4], 'matplotlib.pyplot' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "b'\\x89PNG' False\n"
