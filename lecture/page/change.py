"""The second tab: change the fact. An edit, what it did, and its undoing."""

from dataclasses import asdict, replace
from statistics import fmean
from typing import TYPE_CHECKING

import ipywidgets as widgets

from keyhole.errors import KeyholeError
from lecture.editing import FACTORS, METHODS, METRICS, EditPreset, EditRequest, Planted, presets
from lecture.page import markup, stills
from lecture.page.frame import Frame
from lecture.page.link import packed, unpacked
from lecture.page.words import say
from lecture.probing import Findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VIEWS = ("probability", "generation")
KEYS = ("prefixed", "bare")
LAYERS = 30  # of the kit's model, until it is loaded
USUAL_LAYER = 5
OWN = -1  # in place of a preset's number
LONGEST_NAME = 15  # characters of an answer below a bar


class Change:
    """The widgets of the tab, and what they do."""

    def __init__(self, frame: Frame):
        self.frame = frame
        self.presets: tuple[EditPreset, ...] = presets()
        self.before: Findings | None = None
        self.after: Findings | None = None
        self._measured = ""  # the prompt that both are about
        self.losses: list[float] = []
        self._answers: tuple[str, str, str] | None = None
        self._searched = "loss"  # what the losses are of
        self._wanted: list[EditRequest | None] = []
        self._proof = None
        self._kept = ()
        self._make_form()
        self._make_results()
        form = [self.preset, self.prompt, self.subject, self.target]
        switches = [self.method, self.metric, self.key]
        numbers = widgets.HBox([self.layer, self.factor]).add_class("kh-row")
        buttons = widgets.HBox([self.run, self.undo, self.undo_all]).add_class("kh-row")
        left = [*form, *switches, numbers, buttons, self.loss]
        asking = widgets.HBox([self.free, self.ask_button]).add_class("kh-row")
        right = [self.sentence, self.view, self.bars, self.size, asking, self.answers, self.list]
        self.box = (
            widgets.HBox(
                [
                    widgets.VBox(left).add_class("kh-form"),
                    widgets.VBox(right).add_class("kh-results"),
                ]
            )
            .add_class("kh-tab")
            .add_class("kh-change")
        )

    def _make_form(self):
        frame = self.frame
        self.preset = widgets.Dropdown(
            options=[(each.name, i) for i, each in enumerate(self.presets)]
        )
        self.preset.options = [("", OWN), *self.preset.options]
        frame.label(self.preset.add_class("kh-field"), "description", "fact")
        self.prompt, self.subject = frame.text("prompt"), frame.text("subject")
        self.target = frame.text("target")
        self.method = widgets.ToggleButtons(options=[(each, each) for each in METHODS])
        self.metric = widgets.ToggleButtons(options=[(each, each) for each in METRICS])
        self.key = widgets.ToggleButtons(options=[(each, each) for each in KEYS])
        self.layer = widgets.Dropdown(options=list(range(LAYERS)), value=USUAL_LAYER)
        self.layer.add_class("kh-field")
        self.factor = widgets.FloatSlider(
            1.0, min=FACTORS[0], max=FACTORS[1], step=0.1, readout_format=".1f",
            continuous_update=False,
        )  # fmt: skip
        for name in ("method", "metric", "key", "layer", "factor"):
            frame.label(getattr(self, name), "description", name)
            if name != "layer":
                getattr(self, name).add_class("kh-switch")
        self.run = frame.button("edit", self.edit, "kh-primary")
        self.undo = frame.button("undo", self.undo_last, "kh-plain")
        self.undo_all = frame.button("undo_all", self.undo_everything, "kh-plain")
        frame.needs_model(self.run, self.undo, self.undo_all)
        frame.when(self.preset, self.take_preset)
        for each in (self.prompt, self.subject):
            frame.when(each, self.own)
        frame.when(self.target, lambda: None)
        frame.when(self.method, self._fitting_switches)
        for each in (self.metric, self.key, self.layer):
            frame.when(each, lambda: None)
        frame.when(self.factor, self.rescale)

    def _make_results(self):
        frame = self.frame
        self.loss = widgets.HTML().add_class("kh-panel")
        self.sentence = widgets.HTML().add_class("kh-sentence")
        self.view = widgets.ToggleButtons(options=[(each, each) for each in VIEWS])
        frame.label(self.view.add_class("kh-switch"), "description", "view")
        self.bars, self.size = widgets.HTML(), widgets.HTML().add_class("kh-size")
        self.free = frame.text("free_prompt").add_class("kh-wide")
        self.ask_button = frame.button("ask", self.ask, "kh-plain")
        self.answers = widgets.HTML().add_class("kh-answers")
        self.list = widgets.HTML().add_class("kh-planted")
        frame.needs_model(self.ask_button)
        frame.when(self.view, lambda: self._show_bars(moving=False))
        frame.when(self.free, self.ask)

    # ------------------------------------------------------------ what is asked for

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
            self._show_sentence()

    def own(self) -> None:
        """The prompt or the subject is another: a preset no longer describes the form."""
        with self.frame.quietly():
            self.preset.value = OWN
        self._show_sentence()

    def _fitting_switches(self):
        """Fine-tuning has no C, no k* and no layer of its own."""
        for each in (self.metric, self.key, self.layer, self.factor):
            each.disabled = self.method.value != "rome"

    # ------------------------------------------------------------ edit, undo, ask

    def edit(self) -> None:
        """Plant what the form says."""
        request = self.request()
        self.frame.notice()
        self.frame.work(lambda stopped: self._plant(request, stopped))

    def _plant(self, request, stopped):
        editor = self.frame.engine.editor
        shown, self.losses = (self.before, self.after, self._measured), []
        self._searched = "loss" if request.method == "rome" else "loss_tuning"
        try:
            planted = editor.edit(
                request,
                step=self._step,
                before=lambda measured: self._show_before(request, measured),
                progress=self._progress,
                cancelled=stopped.is_set,
            )
        except KeyholeError:
            self.before, self.after, self._measured = shown
            self._show_bars(moving=False)
            raise
        self.frame.notice(*planted.remarks)
        self._show_planted(planted)
        if self._answers:
            self._ask_now(self._answers[0])

    def _progress(self, progress):
        self.frame.progress(f"part_{progress.part}", progress.done, progress.total)

    def _show_before(self, request, measured):
        self.before = self.after = measured
        self._measured = request.prompt.strip()
        self._show_sentence()
        self._show_bars(moving=False)

    def _step(self, number, loss):
        self.losses.append(loss)
        self._show_loss()

    def _show_planted(self, planted: Planted):
        self.before, self.after = planted.before, planted.after
        self._measured = planted.request.prompt
        self.losses = list(planted.losses)
        self._proof = None
        self._kept = self.frame.engine.editor.kept()
        self._show_everything(moving=True)
        self.frame.changed()

    def rescale(self) -> None:
        """The slider moved: the last edit with another size."""
        editor = self.frame.engine and self.frame.engine.editor
        if editor and editor.planted and editor.planted[-1].request.method == "rome":
            factor = self.factor.value
            self.frame.work(lambda _: self._show_planted(editor.rescale(factor)), waiting=True)

    def undo_last(self) -> None:
        """Take the last edit back, and prove that the weights are as they were."""
        self.frame.work(lambda _: self._take_back(self.frame.engine.editor.undo), waiting=True)

    def undo_everything(self) -> None:
        """Take all edits back, and prove it."""
        self.frame.work(lambda _: self._take_back(self.frame.engine.editor.undo_all), waiting=True)

    def _take_back(self, undo):
        editor = self.frame.engine.editor
        count, last = len(editor.planted), editor.planted[-1:]
        if not last:
            self.frame.notice(say("nothing_to_undo"))
            return
        undo()
        gone = count - len(editor.planted)
        # The last one's bars go back. After several edits nobody knows them: each saw the others.
        self.before, self.after = (last[0].after, last[0].before) if gone == 1 else (None, None)
        self._measured, self.losses = last[0].request.prompt, []
        self.frame.progress("part_proof", 0, 1)
        self._proof, self._kept = editor.proof(), editor.kept()
        self._show_everything(moving=True)
        if self._answers:
            self._ask_now(self._answers[0])
        self.frame.changed()

    def ask(self) -> None:
        """Let the model go on with the free prompt, as it was loaded and as it is now."""
        prompt = self.free.value
        if prompt.strip() and self.frame.engine:
            self.frame.work(lambda _: self._ask_now(prompt), waiting=True)

    def _ask_now(self, prompt):
        self.frame.progress("part_ask", 0, 1)
        self._answers = (prompt, *self.frame.engine.editor.ask(prompt))
        self._show_answers()

    # ------------------------------------------------------------ what is shown

    def _show_everything(self, moving=False):
        self._show_sentence()
        self._show_loss()
        self._show_bars(moving)
        self._show_size()
        self._show_answers()
        self._show_list()

    def _show_sentence(self):
        prompt, subject = self.prompt.value, self.subject.value
        start = prompt.rfind(subject) if subject else -1
        place = (start, start + len(subject)) if start >= 0 else None
        said = self.after.says if self.after and self._measured == prompt.strip() else ""
        self.sentence.value = markup.marked_prompt(prompt, place, said)

    def _show_loss(self):
        self.loss.layout.display = "" if self.losses else "none"
        if not self.losses:
            return
        title = f"<h3>{say(self._searched)}</h3>"
        points = list(enumerate(self.losses, start=1))
        line = markup.Line("", points)
        axes = markup.Axes(str(say("step")), str(say("loss")), 0.0, max(self.losses))
        axes = replace(axes, ticks=(1, len(points)) if len(points) > 1 else (1,))
        chart = markup.line_chart([line], axes, 420, 190)
        self.loss.value = title + chart

    def pairs(self) -> list[tuple[str, list[markup.Pair]]]:
        """Bars before and after, for each kind of probe: [(kind, the two answers' bars)]."""
        if self.before is None:
            return []
        shown = []
        for bar in self.after.bars:
            old, new = (
                [r for r in each.results if r.kind == bar.kind]
                for each in (self.before, self.after)
            )
            numbers = (
                ("p_true", "p_new") if self.view.value == VIEWS[0] else ("says_true", "says_new")
            )
            pairs = [
                markup.Pair(
                    self._name(old, field, word),
                    fmean(getattr(each, number) for each in old),
                    fmean(getattr(each, number) for each in new),
                    colour,
                    bar.wanted == which,
                )
                for number, field, word, colour, which in zip(
                    numbers,
                    ("target_true", "target_new"),
                    ("true_answer", "new_answer"),
                    (markup.TRUE, markup.NEW),
                    ("true", "new"),
                )
            ]
            shown.append((bar.kind, pairs))
        return shown

    @staticmethod
    def _name(results, field, word):
        """The answer that all probes of a kind share, or what it is called."""
        names = {getattr(each, field).strip() for each in results}
        name = names.pop() if len(names) == 1 else str(say(word))
        return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"

    def _show_bars(self, moving):
        if not self.pairs():
            self.bars.value = f"<p class='kh-empty'>{say('no_edit_yet')}</p>"
            return
        before = str(say("before"))
        kinds = [
            markup.moving_bars(
                str(say(f"kind_{kind}")), str(say(f"note_{kind}")), pairs, before, moving
            )
            for kind, pairs in self.pairs()
        ]
        self.bars.value = f'<div class="kh-kinds">{"".join(kinds)}</div>'

    def figure(self) -> "Figure":
        """The bars for a slide. Raises KeyholeError where there are none."""
        if not self.pairs():
            raise KeyholeError(say("no_edit_yet"))
        axis = say("before_and_after" if self.view.value == VIEWS[0] else "share_before_and_after")
        title = f"{self._measured} → {self.target.value.strip()}"
        return stills.of_edit(self.pairs(), title, str(axis))

    def _planted(self):
        return self.frame.engine.editor.planted if self.frame.engine else ()

    def _show_size(self):
        if not self._planted():
            self.size.value = self._proof_text()
            return
        last = self._planted()[-1]
        size = last.size
        words = say(
            "size_one" if size.matrices == 1 else "size_all",
            relative=f"{100 * size.relative:.1f} %",
            rank=size.rank,
            first=f"{size.singular[0]:.1f}",
            second=f"{size.singular[1]:.5f}",
            matrices=size.matrices,
            seconds=f"{last.seconds:.1f}",
        )
        score = say("score", after=f"{last.after.score:.2f}")
        self.size.value = f"<p>{words} {score}</p>" + self._proof_text()

    def _proof_text(self):
        if self._proof is None:
            return ""
        proof = self._proof
        name = "proof_same" if proof.same else "proof_other"
        said = say(
            name, count=f"{proof.parameters:,}", before=proof.before[:12], now=proof.now[:12],
            layers=", ".join(map(str, proof.layers)),
        )  # fmt: skip
        return f'<p class="kh-proof">{"✓ " if proof.same else ""}{said}</p>'

    def _show_answers(self):
        if self._answers:
            prompt, was, now = self._answers
            self.answers.value = markup.two_answers(
                prompt, (str(say("was")), was), (str(say("now")), now)
            )

    def _show_list(self):
        if not self._planted():
            self.list.value = ""
            return
        kept = {each.number: each for each in self._kept}
        rows = []
        for each in self._planted():
            now = kept.get(each.number)
            holds = "" if now is None else f"{'✓' if now.says_new else '✗'} {now.p_new:.2f}"
            how = str(say(each.request.method))
            if each.request.method == "rome":
                how += f", {say('layer')} {each.request.layer}"
            asked = f"{each.request.prompt} → {each.request.target.strip()}"
            rows.append([str(each.number), asked, how, holds])
        head = ["", *(str(say(name)) for name in ("planted", "how", "holds"))]
        self.list.value = markup.table(head, rows)

    # ------------------------------------------------------------ language, address

    def speak(self) -> None:
        """Say everything in the language spoken now."""
        frame = self.frame
        names = [(self._preset_name(each), i) for i, each in enumerate(self.presets)]
        frame.options(self.preset, [(str(say("own_fact")), OWN), *names])
        for choice, values in (
            (self.method, METHODS),
            (self.metric, METRICS),
            (self.key, KEYS),
            (self.view, VIEWS),
        ):
            frame.options(choice, [(str(say(each)), each) for each in values])
        self.free.placeholder = str(say("free_example"))
        self._name_layers()
        self._show_everything()

    @staticmethod
    def _preset_name(preset):
        fact = preset.fact
        return f"{'★ ' if preset.own else ''}{fact.subject}:{fact.target_true} →{fact.target_new}"

    def _name_layers(self):
        """Layers whose C is there at once are marked."""
        engine = self.frame.engine
        stored = engine.editor.stored_layers() if engine else (USUAL_LAYER,)
        layers = range(engine.model.n_layers if engine else LAYERS)
        names = [(f"{layer} ●" if layer in stored else str(layer), layer) for layer in layers]
        self.frame.options(self.layer, names)

    def state(self) -> dict[str, str | list[str]]:
        """What an address has to hold of this tab."""
        preset = self._preset()
        form = (
            {"fact": preset.name}
            if preset
            else {"text": self.prompt.value, "about": self.subject.value}
        )
        edits = [packed(asdict(each.request)) for each in self._planted()]
        return {
            **form,
            "target": self.target.value,
            "method": self.method.value,
            "layer": str(self.layer.value),
            "metric": self.metric.value,
            "key": self.key.value,
            "factor": f"{self.factor.value:g}",
            "view": self.view.value,
            "ask": self.free.value,
            "edit": edits,
        }

    def restore(self, state: dict) -> None:
        """Set the form as an address says; what makes no sense there is left out."""
        with self.frame.quietly():
            names = [each.name for each in self.presets]
            asked = state.get("fact", names[0])
            self.preset.value = names.index(asked) if asked in names else OWN
            if "text" in state:
                self.preset.value = OWN
            self.take_preset()
            self.prompt.value = state.get("text", self.prompt.value)
            self.subject.value = state.get("about", self.subject.value)
            self.target.value = state.get("target", self.target.value)
            for name in ("method", "metric", "key", "view"):
                choice = getattr(self, name)
                if state.get(name) in [value for _, value in choice.options]:
                    choice.value = state[name]
            if state.get("layer", "").isdecimal() and int(state["layer"]) < LAYERS:
                self.layer.value = int(state["layer"])
            self.factor.value = _number(state.get("factor"), self.factor.value)
            self.free.value = state.get("ask", "")
        self._fitting_switches()
        self._wanted = [wanted_edit(each) for each in state.get("edit", [])]
        self._show_sentence()

    def opened(self) -> None:
        """Nothing to do when the tab is opened."""

    def start(self) -> None:
        """The model is there: plant what the address says."""
        self._name_layers()
        wanted = [request for request in self._wanted if request]

        def plant(stopped):
            for request in wanted:
                self._plant(request, stopped)
            if self.free.value.strip():
                self._ask_now(self.free.value)

        if wanted or self.free.value.strip():
            self.frame.work(plant, waiting=True)


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
