"""The form of the second tab: what to edit, and how."""

from collections.abc import Callable
from dataclasses import asdict

import ipywidgets as widgets

from lecture.editing import FACTORS, METHODS, METRICS, EditPreset, EditRequest, presets
from lecture.page.frame import Frame
from lecture.page.link import unpacked
from lecture.page.words import say

KEYS = ("prefixed", "bare")
LAYERS = 30  # of the kit's model, until it is loaded
USUAL_LAYER = 5
OWN = -1  # in place of a preset's number


class EditForm:
    """The fields and switches. `renamed` is called when the prompt or the subject is another."""

    def __init__(self, frame: Frame, renamed: Callable[[], None]):
        self.frame, self._renamed = frame, renamed
        self.presets: tuple[EditPreset, ...] = presets()
        names = [(each.name, i) for i, each in enumerate(self.presets)]
        self.preset = widgets.Dropdown(options=[("", OWN), *names])
        frame.label(self.preset.add_class("kh-field"), "description", "fact")
        self.prompt, self.subject = frame.text("prompt"), frame.text("subject")
        self.target = frame.text("target")
        self.method = frame.switch("method", METHODS)
        self.metric = frame.switch("metric", METRICS)
        self.key = frame.switch("key", KEYS)
        self.layer = widgets.Dropdown(options=[(str(i), i) for i in range(LAYERS)])
        self.layer.value = USUAL_LAYER
        frame.label(self.layer.add_class("kh-field"), "description", "layer")
        self.factor = widgets.FloatSlider(
            1.0, min=FACTORS[0], max=FACTORS[1], step=0.1, continuous_update=False
        )
        self.factor.readout_format = ".1f"
        frame.label(self.factor.add_class("kh-switch"), "description", "factor")
        frame.when(self.preset, self.take_preset)
        for each in (self.prompt, self.subject):
            frame.when(each, self._own)
        frame.when(self.method, self._fitting_switches)
        for each in (self.target, self.metric, self.key, self.layer):
            frame.when(each, lambda: None)  # only the address follows
        fields = [self.preset, self.prompt, self.subject, self.target]
        switches = [self.method, self.metric, self.key]
        numbers = widgets.HBox([self.layer, self.factor]).add_class("kh-row")
        self.rows: list[widgets.Widget] = [*fields, *switches, numbers]

    def request(self) -> EditRequest:
        """What the form asks for."""
        preset = self._preset()
        return EditRequest(
            prompt=self.prompt.value,
            subject=self.subject.value,
            target=self.target.value,
            true=preset.fact.target_true if preset else None,
            method=self.method.value,
            layer=self.layer.value,
            metric=self.metric.value,
            prefixed=self.key.value == "prefixed",
            factor=self.factor.value,
        )

    def _preset(self):
        return None if self.preset.value == OWN else self.presets[self.preset.value]

    def take_preset(self) -> None:
        """Fill the form from a preset; "one's own" leaves it as it is."""
        if (preset := self._preset()) is not None:
            fact = preset.fact
            with self.frame.quietly():
                self.prompt.value, self.subject.value = fact.prompt, fact.subject
                self.target.value = fact.target_new.strip()
            self._renamed()

    def _own(self):
        """A preset no longer describes the form."""
        with self.frame.quietly():
            self.preset.value = OWN
        self._renamed()

    def _fitting_switches(self):
        """Fine-tuning has no C, no k* and no layer of its own."""
        for each in (self.metric, self.key, self.layer, self.factor):
            each.disabled = self.method.value != "rome"

    # ------------------------------------------------------------ language, address

    def speak(self) -> None:
        """Say everything in the language spoken now."""
        names = [(_named(each), i) for i, each in enumerate(self.presets)]
        self.frame.options(self.preset, [(str(say("own_fact")), OWN), *names])
        self.name_layers()

    def name_layers(self) -> None:
        """Mark the layers whose C is there at once."""
        engine = self.frame.engine
        stored = engine.editor.stored_layers() if engine else (USUAL_LAYER,)
        layers = range(engine.model.n_layers if engine else LAYERS)
        names = [(f"{layer} ●" if layer in stored else str(layer), layer) for layer in layers]
        self.frame.options(self.layer, names)

    def state(self) -> dict[str, str]:
        """What an address has to hold of the form."""
        preset = self._preset()
        own = {"text": self.prompt.value, "about": self.subject.value}
        return {
            **({"fact": preset.name} if preset else own),
            "target": self.target.value,
            "method": self.method.value,
            "layer": str(self.layer.value),
            "metric": self.metric.value,
            "key": self.key.value,
            "factor": f"{self.factor.value:g}",
        }

    def restore(self, state: dict) -> None:
        """Set the form as an address says; what makes no sense there is left out."""
        names = [each.name for each in self.presets]
        with self.frame.quietly():
            asked = OWN if "text" in state else state.get("fact", names[0])
            self.preset.value = names.index(asked) if asked in names else OWN
            self.take_preset()
            self.prompt.value = state.get("text", self.prompt.value)
            self.subject.value = state.get("about", self.subject.value)
            self.target.value = state.get("target", self.target.value)
            for name in ("method", "metric", "key"):
                self.frame.choose(getattr(self, name), state.get(name))
            layer = state.get("layer", "")
            self.frame.choose(self.layer, int(layer) if layer.isdecimal() else None)
            self.factor.value = _number(state.get("factor"), self.factor.value)
        self._fitting_switches()
        self._renamed()


def _named(preset):
    fact = preset.fact
    return f"{'★ ' if preset.own else ''}{fact.subject}:{fact.target_true} →{fact.target_new}"


def _number(text, otherwise):
    """A number in the slider's range, or the other one where the text is none."""
    try:
        number = float(text)
    except (TypeError, ValueError):
        return otherwise
    return number if FACTORS[0] <= number <= FACTORS[1] else otherwise


def wanted_edit(text: str) -> EditRequest | None:
    """The edit that an address asks for; None where it is none."""
    record, usual = unpacked(text), asdict(EditRequest("", "", ""))
    kinds = {**{name: type(value) for name, value in usual.items()}, "true": (str, type(None))}
    fits = record.keys() <= usual.keys() and all(
        isinstance(value, kinds[name]) for name, value in record.items()
    )
    return EditRequest(**{**usual, **record}) if fits and record else None
