"""The whole page: its head, the three tabs, and what happens at the start."""

import os
from functools import partial
from pathlib import Path

import ipywidgets as widgets
import psutil

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.fonts import lacks_font
from lecture.page import link, stills
from lecture.page.broken import Broken
from lecture.page.change import Change
from lecture.page.compare import Compare
from lecture.page.frame import Frame
from lecture.page.stored_model import check_model, chosen_device
from lecture.page.where import Where
from lecture.page.words import LANGUAGES, NAMES, say

HERE = Path(__file__).resolve().parent
TABS = {"where": Where, "change": Change, "compare": Compare}
MEMORY = 1.5  # gigabytes that a kernel with its model takes


class Page:
    """One viewer's page. The model is loaded while the first map is already there."""

    def __init__(self, query: str | None = None):
        query = os.environ.get("QUERY_STRING", "") if query is None else query
        state = link.read(query)
        asked = state.get("lang", messages.language())
        messages.use(asked if asked in LANGUAGES else "en")
        self.frame = Frame()
        self._tabs = {name: self._made(kind) for name, kind in TABS.items()}
        self._make_head()
        style = widgets.HTML(f"<style>{(HERE / 'page.css').read_text('utf-8')}</style>")
        style.layout.display = "none"
        bodies = [each.box for each in self._tabs.values()]
        status = widgets.HBox([self.frame.notice_line, self.frame.progress_line])
        status.add_class("kh-status")
        self.box = widgets.VBox([style, self.frame.browser, self.head, status, *bodies])
        self.box.add_class("kh")
        for each in self._tabs.values():
            each.restore(state)
        if state.get("tab") in TABS:
            self.tab.value = state["tab"]
        self.frame.changed = self._note_address
        # What is still to be done, as an edit to plant, stays in the address until it is done.
        self.frame.browser.address = link.write(self.state() | state)
        self.speak()
        self._show_tab()
        self.frame.when(self.tab, self._show_tab)
        self.frame.when(self.language, self.speak)
        self.frame.notice(*self._other_tabs())
        self.frame.work(self._load)

    def _made(self, kind):
        try:
            return kind(self.frame)
        except KeyholeError as error:
            return Broken(error)

    def _make_head(self):
        frame = self.frame
        name = widgets.HTML('<div class="kh-name-of-all">Keyhole</div>')
        self.tab = widgets.ToggleButtons(options=[(each, each) for each in TABS])
        self.tab.add_class("kh-tabs")
        options = [(NAMES[each], each) for each in LANGUAGES]
        self.language = widgets.ToggleButtons(options=options, value=messages.language())
        self.language.add_class("kh-language")
        svg, png = (
            frame.button(f"still_{kind}", lambda kind=kind: self.save_still(kind), "kh-head-button")
            for kind in ("svg", "png")
        )
        copy = frame.button("copy_link", self.copy_link, "kh-head-button")
        for button, hint in ((svg, "still_hint"), (png, "still_hint"), (copy, "link_hint")):
            frame.label(button, "tooltip", hint)
        tools = [copy, svg, png] if frame.in_voila else [svg, png]
        tools = widgets.HBox([*tools, self.language]).add_class("kh-tools")
        self.head = widgets.HBox([name, self.tab, tools]).add_class("kh-head")

    # ------------------------------------------------------------ start

    def _load(self, _):
        """In the worker thread: load the model, then do what the address asks for."""
        # Late: the page is shown before that.
        from keyhole.models import load_model
        from lecture.engine import Engine

        self.frame.progress("part_model", 0, 1)
        check_model()
        self.frame.ready(Engine(partial(load_model, device=chosen_device())))
        for each in ("change", "where", "compare"):  # a map shows the model as edited
            self._tabs[each].start()

    def _other_tabs(self):
        """What another tab of the browser costs, where there is one."""
        if not self.frame.in_voila:
            return ()
        kernels = [each for each in psutil.Process().parent().children() if each.is_running()]
        if len(kernels) < 2:
            return ()
        left = psutil.virtual_memory().available / 1e9
        details = {"count": len(kernels), "memory": MEMORY, "left": f"{left:.1f}"}
        return (say("second_tab", **details),)

    # ------------------------------------------------------------ head

    def speak(self) -> None:
        """Say everything in the language that is chosen."""
        self.frame.speak(self.language.value)
        self.frame.options(self.tab, [(str(say(f"tab_{each}")), each) for each in TABS])
        for each in self._tabs.values():
            each.speak()

    def _show_tab(self):
        for name, each in self._tabs.items():
            each.box.layout.display = "flex" if name == self.tab.value else "none"
        self._tabs[self.tab.value].opened()

    def save_still(self, kind: str) -> None:
        """Hand the viewer a picture of the open tab."""
        spoken = messages.language()
        if lacks_font():
            self.frame.notice(say("no_font"), tone="bad")
            messages.use("en")
        try:
            content = stills.drawn(self._tabs[self.tab.value].figure(), kind)
        finally:
            messages.use(spoken)
        self.frame.browser.save(f"keyhole-{self.tab.value}.{kind}", stills.KINDS[kind], content)

    # ------------------------------------------------------------ address

    def copy_link(self) -> None:
        """Put the address of the present state into the clipboard."""
        self._note_address()
        self.frame.browser.copy_address()
        self.frame.notice(say("copied"))

    def state(self) -> dict[str, str | list[str]]:
        """What the address has to hold."""
        state = {"lang": self.language.value, "tab": self.tab.value}
        for each in self._tabs.values():
            state |= each.state()
        return state

    def _note_address(self):
        self.frame.browser.address = link.write(self.state())
