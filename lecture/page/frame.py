"""What the tabs share: the language, the model, worker threads, notices and the address."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.messages import Remark
from lecture.page.browser import Browser
from lecture.page.lanes import Lane, Work
from lecture.page.words import say

if TYPE_CHECKING:
    from lecture.engine import Engine

# True while the page itself changes its widgets. Each thread has a value of its own, so that
# another thread hears what a viewer changes meanwhile.
QUIET = ContextVar("QUIET", default=False)


class Frame:
    """One page's common parts. `engine` is None until the model is loaded."""

    def __init__(self):
        self.engine: Engine | None = None
        self.in_voila = os.environ.get("SERVER_SOFTWARE", "").startswith("voila")
        self.browser = Browser(owns_address=self.in_voila)
        self.changed: Callable[[], None] = lambda: None  # called when the state is another
        self._labels: list[tuple[Any, str, str]] = []
        self._switches: list[widgets.ToggleButtons] = []
        self._needing: list[widgets.Widget] = []  # useless until the model is loaded
        self._notices: tuple[object, ...] = ()
        self._tone = "info"
        self.notice_line = widgets.HTML().add_class("kh-notice")
        self._progress = widgets.HTML().add_class("kh-progress")
        self._cancel = self.button("cancel", self.cancel, "kh-plain")
        self.progress_line = widgets.HBox([self._progress, self._cancel]).add_class("kh-busy")
        self.progress_line.layout.visibility = "hidden"
        self.long = Lane(self.failed, self._show_idle)
        self.quick = Lane(self.failed, lambda idle: None)

    # ------------------------------------------------------------ words

    def label(self, widget: Any, trait: str, name: str) -> Any:
        """Give a widget's trait the words of this name, now and in every language; the widget."""
        self._labels.append((widget, trait, name))
        self._speak_of(widget, trait, name)
        return widget

    @staticmethod
    def _speak_of(widget, trait, name):
        setattr(widget, trait, str(say(name)))
        if trait == "description" and not isinstance(widget, widgets.Button):
            widget.tooltip = str(say(name))  # without one, the browser shows "null"

    def speak(self, language: str) -> None:
        """Say everything that is on the page in this language."""
        messages.use(language)
        self.browser.language = language
        self.browser.title = str(say("title"))
        gone = "gone" if self.in_voila else "gone_lab"
        self.browser.words = {"gone": str(say(gone)), "reload": str(say("reload"))}
        for widget, trait, name in self._labels:
            self._speak_of(widget, trait, name)
        for each in self._switches:
            self.options(each, [(str(say(value)), value) for _, value in each.options])
        self._show_notices()

    def options(self, choice: Any, options: Sequence[tuple[str, Any]]) -> None:
        """Give a choice other words for its options; what is chosen stays, and nobody is told."""
        with self.quietly():
            value = choice.value
            choice.options = options
            if value in [each for _, each in options]:
                choice.value = value

    # ------------------------------------------------------------ widgets

    def button(self, name: str, pressed: Callable[[], None], style: str = "") -> widgets.Button:
        """A button; `pressed` gets nothing."""
        made = self.label(widgets.Button(), "description", name)
        made.on_click(lambda _: self.guarded(pressed))
        for each in style.split():
            made.add_class(each)
        return made

    def text(self, name: str) -> widgets.Text:
        """A field for one line of text, whose value comes when the viewer leaves it."""
        made = widgets.Text(continuous_update=False).add_class("kh-field")
        return self.label(made, "description", name)

    def switch(self, name: str, values: Sequence[str]) -> widgets.ToggleButtons:
        """A choice among a few values, which the words of the page name."""
        made = widgets.ToggleButtons(options=[(each, each) for each in values])
        self._switches.append(made.add_class("kh-switch"))
        return self.label(made, "description", name)

    def choose(self, choice: Any, value: Any) -> None:
        """Choose a value, where the choice has it."""
        if value in [each for _, each in choice.options]:
            choice.value = value

    def needs_model(self, *those: widgets.Widget) -> None:
        """Keep these from being used until the model is loaded."""
        self._needing += those
        for each in those:
            each.disabled = self.engine is None

    def when(self, widget: Any, changed: Callable[[], None], trait: str = "value") -> None:
        """Call `changed` when a viewer, not the page itself, changes the widget's trait."""

        def heard(change):
            if not QUIET.get() and change["old"] != change["new"]:
                self.guarded(changed)
                self.changed()

        widget.observe(heard, names=trait)

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Changes made here are the page's own."""
        before = QUIET.set(True)
        try:
            yield
        finally:
            QUIET.reset(before)

    # ------------------------------------------------------------ work

    def ready(self, engine: "Engine") -> None:
        """The model is there."""
        self.engine = engine
        for each in self._needing:
            each.disabled = False

    def guarded(self, call: Callable[[], None]) -> None:
        """Call something short; what goes wrong becomes a notice."""
        try:
            call()
        except KeyholeError as error:
            self.failed(error)

    def work(self, work: Work, waiting: bool = False) -> None:
        """Do something long. What is in work stops, or is waited for."""
        self.long.put(work, waiting)

    def cancel(self) -> None:
        """Stop what is in work."""
        self.long.stop()

    def progress(self, name: str, done: float, total: float) -> None:
        """Show how far the work in hand is."""
        share = 100 * done / total if total else 0
        said = escape(str(say(name, done=f"{done:g}", total=f"{total:g}")))
        self._progress.value = (
            f'<div class="kh-progress-track"><div style="width:{share:.0f}%"></div></div>'
            f"<span>{said}</span>"
        )

    def _show_idle(self, idle):
        if not idle:
            self._progress.value = ""
        self.progress_line.layout.visibility = "hidden" if idle else "visible"

    # ------------------------------------------------------------ notices

    def notice(self, *remarks: Remark | KeyholeError, tone: str = "info") -> None:
        """Say this in place of what was said before; nothing, to say no more. Tones: info, bad."""
        self._notices, self._tone = remarks, tone
        self._show_notices()

    def failed(self, error: KeyholeError) -> None:
        """Say what could not be done."""
        self.notice(error, tone="info" if error.code == "cancelled" else "bad")

    def _show_notices(self):
        said = " ".join(escape(str(each)) for each in self._notices)
        sign = "⚠ " if self._tone == "bad" else ""
        self.notice_line.value = (
            f'<div class="kh-{self._tone}" role="status">{sign}{said}</div>' if said else ""
        )
