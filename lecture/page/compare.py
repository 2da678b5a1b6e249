"""The third tab: which editor? Stored curves, and a slider over the number of edits."""

from typing import TYPE_CHECKING

import ipywidgets as widgets

from keyhole import messages
from keyhole.errors import KeyholeError
from lecture.curves import Curve, CurvePoint, Measure, load_curves
from lecture.messages import everywhere
from lecture.page import markup, stills
from lecture.page.frame import Frame
from lecture.page.words import say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GENERATED = "_generated"  # ends the names of measures by generation
VIEWS = ("thought_out", "learned")
IN_BOTH = "rome"  # what people thought out, beside what is learned


class Compare:
    """The widgets of the tab, and what they do."""

    def __init__(self, frame: Frame):
        self.frame = frame
        self.live: CurvePoint | None = None
        self.curves = load_curves()
        names = [each.name for each in self.curves.measures]
        self.editors = frame.switch("editors", VIEWS)
        self.measure = widgets.Dropdown(options=[(name, name) for name in names])
        frame.label(self.measure, "description", "measure").add_class("kh-field")
        self.edits = widgets.SelectionSlider(options=[(str(n), n) for n in self.curves.numbers])
        frame.label(self.edits, "description", "edits").add_class("kh-switch")
        self.now = frame.button("live", self.take_live, "kh-plain")
        frame.needs_model(self.now)
        self.chart = widgets.HTML().add_class("kh-big-chart")
        self.numbers = widgets.HTML().add_class("kh-side-table")
        self.about = widgets.HTML().add_class("kh-about")
        for each in (self.editors, self.measure, self.edits):
            frame.when(each, self.show)
        self.box = widgets.VBox(
            [
                widgets.HBox([self.editors, self.measure, self.edits, self.now])
                .add_class("kh-row")
                .add_class("kh-switches"),
                widgets.HBox([self.chart, self.numbers]).add_class("kh-main"),
                self.about,
            ]
        ).add_class("kh-tab")

    # ------------------------------------------------------------ what is shown

    def chosen(self) -> Measure:
        """The measure that the lines show."""
        return next(each for each in self.curves.measures if each.name == self.measure.value)

    def shown(self) -> list[tuple[int, Curve]]:
        """The editors of the chosen view, each with the number of its line style."""
        curves = self.curves.curves
        thought_out = list(enumerate(each for each in curves if not each.learned))
        if self.editors.value == "thought_out":
            return thought_out
        [(taken, _)] = both = [each for each in thought_out if each[1].editor == IN_BOTH]
        free = [number for number in range(len(markup.STYLES)) if number != taken]
        return both + list(zip(free, [each for each in curves if each.learned]))

    def lines(self) -> list[markup.Line]:
        """A line for each editor that has the measure, and the live point."""
        name = self.measure.value
        lines = []
        for style, curve in self.shown():
            points = [(p.edits, p.values[name]) for p in curve.points if name in p.values]
            if points:
                lines.append(markup.Line(self.title(curve), points, style, curve.changes_weights))
        if self.live and name in self.live.values:
            spot = [(self.live.edits, self.live.values[name])]
            lines.append(markup.Line(str(say("live_point")), spot, len(markup.STYLES) - 1))
        return lines

    def axes(self) -> markup.Axes:
        """The axes of the chosen measure."""
        measure, lines = self.chosen(), self.lines()
        values = [y for line in lines for _, y in line.points]
        if measure.unedited is not None:
            values.append(measure.unedited)
        low, high = 0.0, 1.0
        if measure.unit != "share":
            high = max(values, default=1.0)
            low = min(values, default=1.0) if measure.unit == "times" else 0.0
            high += 0.05 * (high - low)
        better = say("better_high" if measure.better == "high" else "better_low")
        return markup.Axes(
            across=str(say("edits")),
            up=str(say("with_note", name=self.spoken(measure.title), note=better)),
            low=low,
            high=high,
            by_logarithm=True,
            ticks=self.curves.numbers,
            marked=self.edits.value,
            base=measure.unedited,
            base_name=str(say("unedited")),
        )

    @staticmethod
    def spoken(words: dict[str, str]) -> str:
        """Words that the curves bring along, in the language spoken."""
        return words.get(messages.language()) or words["en"]

    def title(self, curve: Curve) -> str:
        """An editor's name, and what has to be said of it in a word."""
        note = self.spoken(curve.note) if curve.note else ""
        name = self.spoken(curve.title)
        return str(say("with_note", name=name, note=note)) if note else name

    def show(self) -> None:
        """Draw the lines and the table at the slider's number of edits."""
        axes = self.axes()
        self.chart.value = f"<h2>{axes.up}</h2>" + markup.line_chart(self.lines(), axes, 900, 460)
        self._show_numbers()
        curves = self.curves
        said = say(
            "curves_about", model=curves.model, layer=curves.layer, facts=curves.facts,
            seed=curves.seed,
        )  # fmt: skip
        if self.editors.value == "learned":
            said = f"{said} {say('learned_about')}"
        self.about.value = f"<p>{said}</p>"

    def _show_numbers(self):
        """A line for each editor, with the measures that are counted as the chosen one is."""
        edits, said = self.edits.value, self.measure.value.endswith(GENERATED)
        measures = [
            each
            for each in self.curves.measures
            if each.unit != "share" or each.name.endswith(GENERATED) == said
        ]
        columns = [everywhere("COLUMNS", each.name.removesuffix(GENERATED)) for each in measures]
        head = [str(say("generation" if said else "probability")), *map(self.spoken, columns)]
        curves = [curve for _, curve in self.shown()]

        def rows(values_of):
            for curve in curves:
                if (values := values_of(curve)) is not None:
                    figures = [_figure(values.get(each.name), each.unit) for each in measures]
                    yield [self.spoken(curve.title), *figures]

        def at_edits(curve):
            return next((p.values for p in curve.points if p.edits == edits), {})

        tables = [(say("at_edits", count=edits), list(rows(at_edits)))]
        if elsewhere := list(rows(lambda curve: curve.elsewhere)):
            tables.append((say("elsewhere"), elsewhere))
        self.numbers.value = "".join(
            f"<h3>{title}</h3>{markup.table(head, lines, 'kh-numbers')}" for title, lines in tables
        )

    def take_live(self) -> None:
        """Measure what is planted now, as a point among the lines."""
        self.frame.work(self._measure)

    def _measure(self, stopped):
        self.frame.progress("part_live", 0, 1)
        self.live = self.frame.engine.editor.live()
        if self.live is None:
            raise KeyholeError(say("nothing_planted"))
        self.show()

    def figure(self) -> "Figure":
        """The lines for a slide."""
        return stills.of_lines(self.lines(), self.axes())

    # ------------------------------------------------------------ language, address

    def speak(self) -> None:
        """Say everything in the language spoken now."""
        options = [(self.spoken(each.title), each.name) for each in self.curves.measures]
        self.frame.options(self.measure, options)
        self.show()

    def state(self) -> dict[str, str]:
        """What an address has to hold of this tab."""
        return {
            "editors": self.editors.value,
            "measure": self.measure.value,
            "edits": str(self.edits.value),
        }

    def restore(self, state: dict) -> None:
        """Set the controls as an address says; what makes no sense there is left out."""
        with self.frame.quietly():
            self.frame.choose(self.editors, state.get("editors"))
            self.frame.choose(self.measure, state.get("measure"))
            edits = state.get("edits", "")
            self.frame.choose(self.edits, int(edits) if edits.isdecimal() else None)

    def opened(self) -> None:
        """Nothing to do when the tab is opened."""

    def start(self) -> None:
        """Nothing here waits for the model."""


def _figure(value, unit):
    """A number in a table; a dash where it was not measured."""
    if value is None:
        return "–"
    return f"{value:.0f}" if unit == "seconds" else f"{value:.2f}"
