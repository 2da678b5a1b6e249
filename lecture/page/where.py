"""The first tab: where is the fact? Causal tracing, live."""

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.tracing import MAP_KINDS, WINDOW, CausalMap, average_effects, load_maps
from lecture.page import markup, stills
from lecture.page.frame import Frame
from lecture.page.heat_map import HeatMap, shades
from lecture.page.words import say
from lecture.tracing import CORRUPTIONS, MOST_SAMPLES, Trace, TracePreset, TraceRequest, presets_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = {"state": "Purples", "mlp": "Greens", "attention": "Reds"}  # as in the kit's pictures
ROLES = {  # how a token's role is called in the words of the page
    "first subject token": "role_first",
    "middle subject tokens": "role_middle",
    "last subject token": "role_last",
    "first token after": "role_after",
    "further tokens": "role_further",
    "last token": "role_end",
}
STRONG = ("last subject token", "last token")
FIRST = "Colosseum"  # the subject whose map is shown first: both sites show well
OWN = -1  # in place of a preset's number
LAYERS = 30  # of the kit's model, until it is loaded


@dataclass(frozen=True)
class Asked:
    """What was said with one cell restored."""

    position: int
    layer: int
    said: tuple[tuple[str, float], ...]


class Where:
    """The widgets of the tab, and what they do."""

    def __init__(self, frame: Frame):
        self.frame = frame
        self.maps = load_maps()
        self.presets: tuple[TracePreset, ...] = presets_of(self.maps)
        self.shown: CausalMap | None = None
        self._state: tuple[int, ...] = ()  # of the model that the map is of
        self._trace: Trace | None = None
        self._asked: Asked | None = None
        self._averaged: tuple[str, ...] = ()  # what the averages shown are of
        self._stopped = threading.Event()  # stops the map in work
        self._after: tuple[int, int] | None = None  # a cell to ask as soon as the map is there
        self._make_controls()
        self._make_pictures()
        self.box = widgets.VBox(
            [
                widgets.HBox([self.preset, self.prompt, self.subject, self.run]).add_class(
                    "kh-row"
                ),
                self.sentence,
                widgets.HBox([self.kind, self.corruption, self.samples, self.window])
                .add_class("kh-row")
                .add_class("kh-switches"),
                widgets.HBox([self.map_box, self.side]).add_class("kh-main"),
            ]
        ).add_class("kh-tab")

    def _make_controls(self):
        frame = self.frame
        self.preset = widgets.Dropdown(
            options=[(each.subject, i) for i, each in enumerate(self.presets)]
        )
        self.preset.options = [("", OWN), *self.preset.options]
        frame.label(self.preset.add_class("kh-field"), "description", "preset")
        self.prompt = frame.text("prompt").add_class("kh-wide")
        self.subject = frame.text("subject")
        self.run = frame.button("trace", self.trace, "kh-primary")
        self.kind = frame.switch("kind", MAP_KINDS)
        self.corruption = frame.switch("corruption", CORRUPTIONS)
        self.samples = widgets.IntSlider(10, 1, MOST_SAMPLES, continuous_update=False)
        self.window = widgets.IntSlider(10, 1, LAYERS, continuous_update=False)
        for name in ("samples", "window"):
            frame.label(getattr(self, name).add_class("kh-switch"), "description", name)
        frame.when(self.preset, self.take_preset)
        frame.when(self.prompt, self._other_prompt)
        frame.when(self.subject, self.look)
        for each in (self.kind, self.corruption, self.samples, self.window):
            frame.when(each, self.turned)
        frame.needs_model(self.run)

    def _make_pictures(self):
        self.sentence = widgets.HTML().add_class("kh-sentence")
        self.map = HeatMap(layers=LAYERS)
        self.map_title = widgets.HTML()
        self.map_box = widgets.VBox([self.map_title, self.map]).add_class("kh-map-box")
        self.top = widgets.HTML().add_class("kh-panel")
        self.average = widgets.HTML().add_class("kh-panel")
        self.side = widgets.VBox([self.top, self.average]).add_class("kh-side")
        self.map.observe(lambda _: self.frame.guarded(self.ask), "asked")

    # ------------------------------------------------------------ what is asked for

    def request(self) -> TraceRequest:
        """What the controls ask for."""
        return TraceRequest(
            prompt=self.prompt.value,
            subject=self.subject.value,
            kind=self.kind.value,
            window=WINDOW if self.kind.value == "state" else self.window.value,
            corruption=self.corruption.value,
            samples=self.samples.value,
        )

    def take_preset(self) -> None:
        """Show a preset's stored map; "one's own" leaves the fields as they are."""
        if self.preset.value == OWN:
            return
        preset = self.presets[self.preset.value]
        with self.frame.quietly():
            self.prompt.value, self.subject.value = preset.prompt, preset.subject
        self.turned()

    def _other_prompt(self):
        """Whoever types a prompt types its subject next: that it is not there yet is no mistake."""
        if self.subject.value in self.prompt.value:
            self.look()
        else:
            with self.frame.quietly():
                self.preset.value = OWN
            self.frame.notice(say("subject_next"))
            self.sentence.value = markup.marked_prompt(self.prompt.value, None, "")

    def look(self) -> None:
        """Another prompt or subject: show where the subject is, and what the model answers."""
        known = [(each.prompt, each.subject) for each in self.presets]
        typed = (self.prompt.value, self.subject.value)
        with self.frame.quietly():
            self.preset.value = known.index(typed) if typed in known else OWN
        if self.preset.value != OWN:
            self.turned()
        elif self.frame.engine and all(typed):
            self.frame.quick.put(self._locate)

    def _locate(self, _):
        located = self.frame.engine.tracer.locate(self.prompt.value, self.subject.value)
        self.frame.notice(*located.remarks)
        answer = located.first[0]
        self.sentence.value = markup.marked_prompt(
            located.prompt, located.place, answer.text
        ) + markup.meter(str(say("clean")), answer.probability)

    def turned(self) -> None:
        """A switch was turned: show the map that is stored or made already, else make it."""
        self._asked = None
        if (stored := self._stored()) is not None:
            self._stopped.set()
            self.frame.notice()
            self.show(stored)
        elif self.frame.engine and self.prompt.value and self.subject.value:
            self.trace()

    def _stored(self):
        request = self.request()
        if self.frame.engine:
            return self.frame.engine.tracer.stored(request)
        usual = TraceRequest(request.prompt, request.subject, request.kind)
        same = replace(request, corruption="noise") == usual
        if not same or self.preset.value == OWN:
            return None
        maps = self.presets[self.preset.value].maps
        return maps.get((request.kind, request.corruption))

    # ------------------------------------------------------------ the map

    def opened(self) -> None:
        """The tab is open again: show the map of the model as it is now."""
        if self.frame.engine and self.frame.engine.state != self._state:
            self.turned()

    def trace(self) -> None:
        """Make the map anew, row by row, once other work is done; a map in work stops."""
        self._stopped.set()
        request = self.request()
        self._asked = None
        with self.frame.quietly():
            self.map.chosen = []
        self.frame.notice()
        self.frame.work(lambda stopped: self._fill(request, stopped), waiting=True)

    def _fill(self, request, stopped):
        self._stopped = stopped
        self.frame.progress("part_runs", 0, 1)
        trace = self._begin(request, stopped)
        rows = len(trace.located.tokens)
        self.frame.notice(*trace.located.remarks)
        for done, _ in enumerate(trace.fill(cancelled=stopped.is_set), start=1):
            self.show(trace.map())
            self.frame.progress("part_row", done, rows)
        self.show(trace.map())
        if self._after:
            self._answer(*self._after)

    def _begin(self, request, stopped):
        self._trace = self.frame.engine.tracer.begin(request, cancelled=stopped.is_set)
        return self._trace

    def show(self, shown: CausalMap) -> None:
        """Draw a map, and what belongs to it."""
        self.shown = shown
        self._state = self.frame.engine.state if self.frame.engine else ()
        values = shown.values.numpy()
        known = values[~np.isnan(values)]
        low = min(shown.corrupted, float(known.min()) if known.size else shown.corrupted)
        high = max(0.2 * shown.clean, float(known.max()) if known.size else shown.clean)
        with self.map.hold_sync():
            self.map.tokens, self.map.subject = list(shown.tokens), list(shown.span)
            self.map.layers = values.shape[1]
            self.map.values = values.astype("<f4").tobytes()
            self.map.low, self.map.high = low, max(high, low + 1e-6)
            self.map.corrupted, self.map.answer = shown.corrupted, shown.answer
            self.map.shades = shades(SHADES[shown.kind])
            if self._asked is None:
                self.map.chosen = []
        self._tell()

    def _tell(self):
        """Everything in words that belongs to the map shown."""
        shown = self.shown
        if shown is None:
            return
        start = shown.prompt.rfind(shown.subject)
        place = (start, start + len(shown.subject)) if start >= 0 else None
        self.sentence.value = (
            markup.marked_prompt(shown.prompt, place, shown.answer)
            + markup.meter(str(say("clean")), shown.clean)
            + markup.meter(str(say("corrupted")), shown.corrupted, markup.NEW)
        )
        kind, corruption = (str(say(f"{each}_long")) for each in (shown.kind, shown.corruption))
        details = {"kind": kind, "window": shown.window, "corruption": corruption}
        title = say("map_state" if shown.kind == "state" else "map_window", **details)
        self.map_title.value = f"<h2>{title}</h2>"
        self._show_top()
        self._show_average()

    # ------------------------------------------------------------ beside the map

    def ask(self) -> None:
        """The chosen cell was pressed: what does the model say with it restored?"""
        if self.frame.engine is None:
            self.frame.notice(say("loading"))
        elif self.map.chosen:
            position, layer = self.map.chosen
            self.frame.quick.put(lambda _: self._answer(position, layer))

    def _answer(self, position, layer):
        self._after = None
        if self._trace is None or self._trace.request != self._shown_request():
            self._begin(self._shown_request(), threading.Event())
        said = self._trace.top(position, layer)
        self._asked = Asked(position, layer, tuple((each.text, each.probability) for each in said))
        with self.frame.quietly():
            self.map.chosen = [position, layer]
        self._show_top()
        self.frame.changed()

    def _shown_request(self):
        """The request whose map is shown; the controls may already ask for another."""
        request, shown = self.request(), self.shown
        return replace(
            request,
            prompt=shown.prompt,
            subject=shown.subject,
            kind=shown.kind,
            corruption=shown.corruption,
            window=WINDOW if shown.kind == "state" else shown.window,
        )

    def _show_top(self):
        answer = self.shown.answer
        if self._asked:
            asked = self._asked
            token = self.shown.tokens[asked.position].strip() or "␣"
            title = say("restored", token=token, layer=asked.layer)
            self.top.value = markup.top_list(str(title), asked.said, answer)
        elif self._trace and self._trace.request == self._shown_request():
            self.top.value = (
                "".join(
                    markup.top_list(
                        str(say(name)), [(e.text, e.probability) for e in said[:3]], answer
                    )
                    for name, said in (
                        ("says_clean", self._trace.clean_top),
                        ("says_corrupted", self._trace.corrupted_top),
                    )
                )
                + f"<p>{say('press_a_cell')}</p>"
            )
        else:
            self.top.value = f"<h3>{say('restored_none')}</h3><p>{say('press_a_cell')}</p>"

    def _show_average(self):
        kind = self.shown.kind
        corruption = self.shown.corruption if kind == "state" else "noise"
        about = kind, corruption, messages.language()
        if about == self._averaged:  # as at every row of a map that is being made
            return
        self._averaged = about
        lines = self.average_lines(kind, corruption)
        if not lines:
            self.average.value = ""
            return
        high = max(y for line in lines for _, y in line.points)
        axes = markup.Axes(str(say("layer")), str(say("effect")), min(0, self._lowest(lines)), high)
        axes = replace(axes, ticks=range(0, len(lines[0].points), 10))
        count = sum(each.relation != "famous" for each in self.presets) or len(self.presets)
        self.average.value = f"<h3>{say('averages', count=count)}</h3>" + markup.line_chart(
            lines, axes, 440, 230
        )

    @staticmethod
    def _lowest(lines):
        return min(y for line in lines for _, y in line.points)

    def average_lines(self, kind: str, corruption: str) -> list[markup.Line]:
        """The average effects over the stored maps, a line for each role of a token."""
        maps = [each for each in self.maps if (each.kind, each.corruption) == (kind, corruption)]
        found = average_effects(maps) if maps else {}
        return [
            markup.Line(
                str(say(ROLES[role])),
                list(enumerate(mean.tolist())),
                style,
                role in STRONG,
                error.tolist() if role in STRONG else (),
            )
            for style, (role, (mean, error, _)) in enumerate(found.items())
        ]

    def figure(self) -> "Figure":
        """The map for a slide. Raises KeyholeError where there is none."""
        shown = self.shown
        if shown is None:
            raise KeyholeError(say("no_map_yet"))
        title = str(say("still_where", prompt=shown.prompt, answer=shown.answer.strip()))
        return stills.of_map(shown, SHADES[shown.kind], title)

    # ------------------------------------------------------------ language, address

    def speak(self) -> None:
        """Say everything in the language spoken now."""
        frame = self.frame
        own = (str(say("own_prompt")), OWN)
        names = [(f"{each.subject} →{each.answer}", i) for i, each in enumerate(self.presets)]
        frame.options(self.preset, [own, *names])
        names = ("about", "layer", "full", "leave", "hint", "open", "cell")
        gaps = {
            name: f"{{{name}}}" for name in ("token", "layer", "value")
        }  # heat_map.js fills them
        self.map.words = {name: str(say(f"map_{name}", **gaps)) for name in names}
        self._tell()

    def state(self) -> dict[str, str]:
        """What an address has to hold of this tab."""
        return {
            "prompt": self.prompt.value,
            "subject": self.subject.value,
            "kind": self.kind.value,
            "corruption": self.corruption.value,
            "samples": str(self.samples.value),
            "window": str(self.window.value),
            "cell": ".".join(map(str, self.map.chosen)),
        }

    def restore(self, state: dict) -> None:
        """Set the controls as an address says; what makes no sense there is left out."""
        with self.frame.quietly():
            for name in ("kind", "corruption"):
                self.frame.choose(getattr(self, name), state.get(name))
            for name in ("samples", "window"):
                slider = getattr(self, name)
                if state.get(name, "").isdecimal():
                    slider.value = min(max(int(state[name]), slider.min), slider.max)
            shown_first = (each for each in self.presets if each.subject == FIRST)
            first = next(shown_first, self.presets[0])
            self.prompt.value = state.get("prompt", first.prompt)
            self.subject.value = state.get("subject", first.subject)
            known = [(each.prompt, each.subject) for each in self.presets]
            typed = (self.prompt.value, self.subject.value)
            self.preset.value = known.index(typed) if typed in known else OWN
        cell = state.get("cell", "").split(".")
        numbers = [int(each) for each in cell if each.isdecimal()]
        self._after = tuple(numbers) if len(numbers) == 2 else None
        if (stored := self._stored()) is not None:
            self.show(stored)

    def start(self) -> None:
        """The model is there: make the map that the address asks for, and ask its cell."""
        stored = self._stored()
        if stored is None:
            self.trace()
        elif self._after:
            self.frame.quick.put(lambda _: self._answer(*self._after))
