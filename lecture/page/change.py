"""The second tab: change the fact. An edit, what it did, and its undoing."""

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import ipywidgets as widgets

from keyhole.errors import KeyholeError
from lecture.editing import EditRequest
from lecture.page import markup
from lecture.page.effects import Effects
from lecture.page.form import EditForm, wanted_edit
from lecture.page.frame import Frame
from lecture.page.link import packed
from lecture.page.words import say
from lecture.watching import Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Change:
    """The widgets of the tab, and what they do."""

    def __init__(self, frame: Frame):
        self.frame = frame
        self.sentence = widgets.HTML().add_class("kh-sentence")
        self.effects = Effects(frame)
        self.form = EditForm(frame, self._show_sentence)
        self._asked: tuple[str, str, str] | None = None  # a prompt, the answers as loaded and now
        self._asked_of: tuple[str, tuple[int, ...]] | None = None  # prompt, state of the model
        self._wanted: list[EditRequest] = []
        run = frame.button("edit", self.edit, "kh-primary")
        undo = frame.button("undo", lambda: self._undo(all_of_them=False), "kh-plain")
        undo_all = frame.button("undo_all", lambda: self._undo(all_of_them=True), "kh-plain")
        self.free = frame.text("free_prompt").add_class("kh-wide")
        ask = frame.button("ask", self.ask, "kh-plain")
        self.answers = widgets.HTML().add_class("kh-answers")
        frame.needs_model(run, undo, undo_all, ask)
        frame.when(self.free, self.ask)
        frame.when(self.form.factor, self.rescale)
        buttons = widgets.HBox([run, undo, undo_all]).add_class("kh-row")
        asking = widgets.HBox([self.free, ask]).add_class("kh-row")
        effects = self.effects
        left = widgets.VBox([*self.form.rows, buttons, effects.loss]).add_class("kh-form")
        shown = [self.sentence, effects.view, effects.bars, effects.size]
        right = widgets.VBox([*shown, asking, self.answers, effects.list]).add_class("kh-results")
        self.box = widgets.HBox([left, right]).add_class("kh-tab").add_class("kh-change")

    # ------------------------------------------------------------ edit

    def edit(self) -> None:
        """Plant what the form says."""
        request = self.form.request()
        self.frame.notice()
        self.frame.work(lambda stopped: self._plant(request, stopped.is_set))

    def _plant(self, request: EditRequest, cancelled: Callable[[], bool]):
        effects = self.effects
        shown, effects.losses = (effects.before, effects.after, effects.measured), []
        effects.searched = "loss" if request.method == "rome" else "loss_tuning"
        try:
            planted = self.frame.engine.editor.edit(
                request,
                step=self._step,
                before=lambda findings: self._show_before(request, findings),
                progress=self._progress,
                cancelled=cancelled,
            )
        except KeyholeError:
            effects.before, effects.after, effects.measured = shown
            effects.show_bars(moving=False)
            raise
        self.frame.notice(*planted.remarks)
        effects.losses = list(planted.losses)
        self._show_edit(planted)

    def _progress(self, progress: Progress):
        self.frame.progress(f"part_{progress.part}", progress.done, progress.total)

    def _show_before(self, request, findings):
        effects = self.effects
        effects.before = effects.after = findings
        effects.measured = request.prompt.strip()
        self._show_sentence()
        effects.show_bars(moving=False)

    def _step(self, _, loss):
        self.effects.losses.append(loss)
        self.effects.show_loss()

    def _show_edit(self, planted):
        """Show what an edit, or another size of it, came to."""
        effects = self.effects
        effects.before, effects.after = planted.before, planted.after
        effects.measured, effects.proof = planted.request.prompt, None
        self._show_changed()

    def rescale(self) -> None:
        """The slider moved: the last edit with another size."""
        editor = self.frame.engine and self.frame.engine.editor
        if editor and editor.planted and editor.planted[-1].request.method == "rome":
            factor = self.form.factor.value
            self.frame.work(lambda _: self._show_edit(editor.rescale(factor)), waiting=True)

    def _show_changed(self):
        """Show the model as it is after a change of its weights."""
        editor = self.frame.engine.editor
        self.effects.planted, self.effects.kept = editor.planted, editor.kept()
        self._show_sentence()
        self.effects.show(moving=True)
        self.frame.changed()
        if self._asked:
            self._ask_now(self._asked[0])

    # ------------------------------------------------------------ undo

    def _undo(self, all_of_them):
        self.frame.work(lambda _: self._take_back(all_of_them), waiting=True)

    def _take_back(self, all_of_them):
        """Undo, and prove that the weights are as they were."""
        editor, effects = self.frame.engine.editor, self.effects
        planted = editor.planted
        if not planted:
            self.frame.notice(say("nothing_to_undo"))
            return
        if all_of_them:
            editor.undo_all()
        else:
            editor.undo()
        # The last one's bars go back. After several edits nobody knows them: each saw the others.
        one, last = len(planted) - len(editor.planted) == 1, planted[-1]
        effects.before, effects.after = (last.after, last.before) if one else (None, None)
        effects.measured, effects.losses = last.request.prompt, []
        self.frame.progress("part_proof", 0, 1)
        effects.proof = editor.proof()
        self._show_changed()

    # ------------------------------------------------------------ the free prompt

    def ask(self) -> None:
        """Let the model go on with the free prompt, as it was loaded and as it is now."""
        prompt = self.free.value
        if prompt.strip() and self.frame.engine:
            self.frame.work(lambda _: self._ask_now(prompt), waiting=True)

    def _ask_now(self, prompt):
        state = self.frame.engine.state
        if (prompt, state) == self._asked_of:  # Enter, or leaving the field, asked it already
            return
        self._asked_of = prompt, state
        self.frame.progress("part_ask", 0, 1)
        self._asked = (prompt, *self.frame.engine.editor.ask(prompt))
        self._show_answers()

    def _show_answers(self):
        if self._asked:
            prompt, was, now = self._asked
            self.answers.value = markup.two_answers(
                prompt, (str(say("was")), was), (str(say("now")), now)
            )

    def _show_sentence(self):
        prompt, subject = self.form.prompt.value, self.form.subject.value
        start = prompt.rfind(subject) if subject else -1
        place = (start, start + len(subject)) if start >= 0 else None
        after = self.effects.after
        said = after.says if after and self.effects.measured == prompt.strip() else ""
        self.sentence.value = markup.marked_prompt(prompt, place, said)

    # ------------------------------------------------------------ language, address

    def figure(self) -> "Figure":
        """The bars for a slide. Raises KeyholeError where there are none."""
        return self.effects.figure()

    def speak(self) -> None:
        """Say everything in the language spoken now."""
        self.form.speak()
        self.free.placeholder = str(say("free_example"))
        self._show_sentence()
        self.effects.show()
        self._show_answers()

    def state(self) -> dict[str, str | list[str]]:
        """What an address has to hold of this tab."""
        edits = [packed(asdict(each.request)) for each in self.effects.planted]
        view, ask = self.effects.view.value, self.free.value
        return {**self.form.state(), "view": view, "ask": ask, "edit": edits}

    def restore(self, state: dict) -> None:
        """Set the form as an address says; what makes no sense there is left out."""
        with self.frame.quietly():
            self.frame.choose(self.effects.view, state.get("view"))
            self.free.value = state.get("ask", "")
        self.form.restore(state)
        wanted = [wanted_edit(each) for each in state.get("edit", [])]
        self._wanted = [each for each in wanted if each is not None]

    def opened(self) -> None:
        """Nothing to do when the tab is opened."""

    def start(self) -> None:
        """The model is there: plant what the address says, and ask its free prompt."""
        self.form.name_layers()
        for request in self._wanted:
            self.frame.work(lambda stopped, r=request: self._plant(r, stopped.is_set), waiting=True)
        self.ask()
