"""Pictures: they show what was given, without pyplot, and not by colour alone."""

import io
import re
import subprocess
import sys
import warnings

import pytest
import torch
from matplotlib import font_manager
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from autograder.oracle import tracing
from keyhole import diagrams, fonts, messages, plots
from keyhole.facts import Probe
from keyhole.many import load_curves
from keyhole.plots import (
    before_after,
    effect_bars,
    effect_curves,
    expected_and_obtained,
    heat_map,
    heat_maps,
    loss_curve,
    moment_spectrum,
    singular_values,
)
from keyhole.probes import Answer
from keyhole.toy import toy_model


def answers(
    shift=0.0,
    kinds=("original", "paraphrase", "paraphrase", "neighborhood", "reversion", "portability"),
):
    return [
        Answer(
            kind,
            Probe("p", " Paris" if i < 2 else f" City{i}", " Rome"),
            0.5 + 0.05 * i - shift,
            0.1 + shift,
        )
        for i, kind in enumerate(kinds)
    ]


def bars(ax):
    return [patch.get_height() for patch in ax.patches]


def texts(picture):
    return [
        text.get_text()
        for ax in picture.axes
        for text in [*ax.texts, ax.title, *ax.get_xticklabels()]
    ]


def test_before_after_draws_means_and_single_probes():
    picture = before_after(answers(), answers(0.3), title="Eiffel Tower")
    assert [ax.get_title() for ax in picture.axes] == [
        "original",
        "paraphrase",
        "neighborhood",
        "reversion",
        "portability",
    ]
    assert bars(picture.axes[1]) == pytest.approx([0.575, 0.275, 0.1, 0.4])
    dots = [list(line.get_ydata()) for line in picture.axes[1].lines]
    assert dots[0] == pytest.approx([0.55, 0.6]) and len(dots) == 4
    assert not picture.axes[0].lines  # one probe is its own mean
    assert {"before 0.57", "after 0.28", "Paris", "Rome", "true answer"} <= set(
        texts(picture)
    ) or "before 0.58" in texts(picture)
    assert picture.get_suptitle() == "Eiffel Tower"


def test_before_after_is_readable_without_colour():
    for ax in before_after(answers(), answers(0.3)).axes:
        before, after, *_ = ax.patches
        assert before.get_hatch() and not after.get_hatch()
    grey = [
        sum(weight * channel for weight, channel in zip((0.299, 0.587, 0.114), to_rgb(color)))
        for color in (plots.TRUE, plots.NEW)
    ]
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


@pytest.mark.slow
def test_a_notebook_shows_a_picture_and_pyplot_stays_out():
    program = (
        "import sys, torch\nfrom keyhole.plots import loss_curve\npng = loss_curve([1.0,"
        " 0.5])._repr_png_()\nprint(png[:4], 'matplotlib.pyplot' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
        == "b'\\x89PNG' False\n"
    )


# ---------------------------------------------------------------- causal maps


def a_map(kind="state", subject="Ann", prompt="It is Ann who"):
    model = toy_model("gpt2", layers=4)
    return tracing.causal_map(model, prompt, subject, kind, window=2)


def test_a_heat_map_draws_the_values_and_stars_the_subject():
    found = a_map()
    picture = heat_map(found)
    ax, bar = picture.axes
    [cells] = [part for part in ax.collections if part.get_array() is not None]
    assert torch.allclose(torch.tensor(cells.get_array()).reshape(found.values.shape), found.values)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["I", "t", "␣", "i", "s", "␣", "A*", "n*", "n*", "␣", "w", "h", "o"]
    assert bar.get_ylabel().startswith("p(") and ax.yaxis_inverted()


def test_each_kind_has_its_own_hue_and_all_darken_with_the_value():
    from matplotlib import colormaps

    for shades in plots.SHADES.values():
        grey = [
            sum(
                weight * channel
                for weight, channel in zip((0.299, 0.587, 0.114), colormaps[shades](x / 10))
            )
            for x in range(11)
        ]
        assert all(light > dark for light, dark in zip(grey, grey[1:]))
    picture = heat_maps([a_map(kind) for kind in plots.SHADES], "Three")
    assert len(picture.axes) == 6 and {
        cells.get_cmap().name for ax in picture.axes[:3] for cells in ax.collections
    } == set(plots.SHADES.values())


def test_a_map_with_rows_that_were_not_asked_for():
    found = a_map()
    found.values[:5] = torch.nan
    heat_map(found).savefig(io.BytesIO(), format="svg")


def test_curves_are_told_apart_without_colour():
    picture = effect_curves([a_map(), a_map(prompt="So Ann did it")], title="states")
    styles = [
        (line.get_linestyle(), line.get_marker())
        for line in picture.axes[0].lines
        if line.get_marker() != "None"
    ]
    assert len(styles) == len(set(styles)) == 6
    assert [text.get_text() for text in picture.axes[0].get_legend().get_texts()][
        2
    ] == "last subject token (2)"


def test_bars_of_single_effects_are_sorted():
    maps = [a_map(), a_map(prompt="So Ann did it"), a_map(prompt="Then Ann sang")]
    ax = effect_bars(maps, layer=1).axes[0]
    assert [bar.get_width() for bar in ax.patches] == sorted(
        float(found.effects[found.span[1] - 1, 1]) for found in maps
    )


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_pictures_are_exported(tmp_path, kind):
    heat_map(a_map()).savefig(tmp_path / f"map.{kind}")
    assert (tmp_path / f"map.{kind}").stat().st_size > 3000


def test_expected_beside_obtained():
    expected, got = torch.arange(6.0).view(2, 3), torch.zeros(2, 3)
    shown = [
        torch.tensor(ax.images[0].get_array())
        for ax in expected_and_obtained(expected, got).axes[:3]
    ]
    assert (
        torch.equal(shown[0], expected.double())
        and torch.equal(shown[1], got.double())
        and torch.equal(shown[2], expected.double())
    )


# ---------------------------------------------------------------- words


IDEAS = (
    diagrams.stream_of_states,
    diagrams.three_runs,
    diagrams.keys_and_values,
    diagrams.rank_one_step,
)


def said_in(picture):
    """All words of a picture."""
    found = [
        text.get_text() for ax in picture.axes for text in [ax.title, ax.xaxis.label, *ax.texts]
    ]
    return [picture.get_suptitle(), *(text for text in found if text)]


def the_pictures():
    """One of each kind that a notebook draws."""
    curves = load_curves()
    maps = [a_map(), a_map(prompt="So Ann did it")]
    yield before_after(answers(), answers(0.3), title="用一句話微調")
    yield loss_curve([5.0, 1.0])
    yield singular_values(torch.eye(3))
    yield moment_spectrum(torch.diag(torch.tensor([8.0, 4.0, 0.0])), threshold=5.0)
    yield from (heat_map(maps[0]), heat_maps([a_map("mlp")], "圖"), effect_curves(maps, "狀態"))
    yield from (effect_bars(maps, 1), expected_and_obtained(torch.eye(2), torch.eye(2)))
    yield plots.edit_curves(curves["many edits"], {10: {"by probability": 9, "by generation": 8}})
    yield plots.layer_curves(curves["where"])
    for rows in (curves["in context"], curves["fine-tuning"]["one"]):
        yield plots.score_bars({name: made["values"] for name, made in rows.items()}, "分數")
    looks = {"a rate for each row": [(0, 5.0, 5.0), (10, 3.0, 3.5)], "MEND": [(0, 5.0, 5.0)]}
    yield plots.learning_curves(looks)
    yield plots.rank_map(torch.tensor([[900, 1], [70, 8]]), [" a", " b"], " Paris")
    yield plots.lines_over_layers({"Ann": [0.1, 0.4]}, "機率")
    yield plots.numbers_compared({"二": (2.0, 3.0), "一": (1.0, 0.5)}, "數字")
    yield plots.vectors_compared(torch.ones(3), torch.zeros(3), "向量")
    yield from (draw() for draw in IDEAS)


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_pictures_are_all_in_chinese_and_lack_no_character():
    if not fonts.chinese_font():
        pytest.skip("no font with Chinese characters")
    messages.use("zh-TW")
    for picture in the_pictures():
        picture._repr_png_()  # a character that is lacking would be a warning, an error here
        words = said_in(picture)
        assert any(re.search("[一-鿿]", text) for text in words), words
        assert not [text for text in words if re.search("(?:[a-z]+ ){3}[a-z]+", text)], words


@pytest.mark.parametrize("language", messages.LANGUAGES)
@pytest.mark.slow
def test_every_letter_is_large_enough_for_a_projector(language):
    """A notebook shows a picture in its own size, unless it is too wide for the page."""
    messages.use(language)
    for picture in [*the_pictures(), heat_maps([a_map(kind) for kind in plots.SHADES], "Three")]:
        picture._repr_png_()  # ticks are made when they are drawn
        sizes = {
            text.get_fontsize(): text.get_text()
            for text in picture.findobj(Text)
            if text.get_visible() and text.get_text().strip()
        }
        assert min(sizes) >= 11 and picture.get_figwidth() < 9.01, sizes


def test_the_picture_of_the_memory_shows_a_product():
    """The column behind the sign of equality is W k, in the same shades as the columns of W."""
    [ax] = diagrams.keys_and_values().axes
    bars = [bar.get_height() for bar in ax.patches if bar.get_y() > 6]
    key = (torch.tensor(bars).float() - 0.03) / 1.9
    cells = [patch for patch in ax.patches if patch.get_alpha() is not None]
    signs = [1 if to_rgb(cell.get_facecolor()) == to_rgb(plots.NEW) else -1 for cell in cells]
    shades = torch.tensor([float(sign * cell.get_alpha()) for sign, cell in zip(signs, cells)])
    *columns, value = shades.view(len(key) + 1, -1)
    weight = torch.stack(columns) / key.clamp(0.12)[:, None]
    assert torch.allclose(value, (key[:, None] * weight).sum(0), atol=0.01)


def test_the_picture_of_the_step_says_that_c_spares_ordinary_keys():
    titles = [ax.get_title() for ax in diagrams.rank_one_step().axes]
    without, with_c = (int(re.search(r"(\d+) %", title)[1]) for title in titles)
    assert with_c < without / 1.5


def test_every_stored_editor_has_its_words():
    curves = load_curves()
    names = [*curves["many edits"], *curves["in context"], *curves["fine-tuning"]["one"]]
    unnamed = {name for name in names if messages.pictured(name, "zh-TW") == name}
    assert unnamed <= {"MEMIT", "AlphaEdit", "LoRA"}


@pytest.mark.slow
def test_without_a_font_the_words_are_english_and_that_is_told_once(monkeypatch):
    monkeypatch.setattr(fonts, "CHINESE_FONTS", ("no such font",))
    plots._tell_of_font.cache_clear()
    messages.use("zh-TW")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pictures = list(the_pictures())
        for picture in pictures:
            picture._repr_png_()
    assert [str(each.message) for each in told] == [messages.shown("no_font")]
    assert not [text for each in pictures for text in said_in(each) if fonts.CHINESE.search(text)]
    assert "probability" in pictures[0].axes[0].get_ylabel()


def test_a_font_is_found_though_the_list_of_matplotlib_is_older(monkeypatch):
    if not fonts.chinese_font():
        pytest.skip("no font with Chinese characters")
    manager = font_manager.fontManager
    older = [font for font in manager.ttflist if font.name not in fonts.CHINESE_FONTS]
    monkeypatch.setattr(manager, "ttflist", older)
    assert fonts.chinese_font(search=False) is None
    assert fonts.chinese_font() in fonts.CHINESE_FONTS
