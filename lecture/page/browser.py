"""What the page asks of the browser itself: its address, files to keep, and a sign of life."""

import threading
from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).resolve().parent
SECONDS = 2.0  # between two beats; browser.js gives up after five without one


class Browser(anywidget.AnyWidget):
    """An invisible widget. It beats as long as this process lives."""

    _esm = HERE / "browser.js"

    beat = traitlets.Int(0).tag(sync=True)
    words = traitlets.Dict().tag(sync=True)
    language = traitlets.Unicode("en").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    address = traitlets.Unicode("?").tag(sync=True)  # that leads back to the present state
    owns_address = traitlets.Bool(False).tag(sync=True)  # false where the page is JupyterLab's

    def __init__(self, **traits):
        super().__init__(**traits)
        threading.Thread(target=self._live, daemon=True).start()

    def _live(self):
        pause = threading.Event()
        while self.comm is not None:  # until the widget is closed
            self.beat += 1
            pause.wait(SECONDS)

    def save(self, name: str, kind: str, content: bytes) -> None:
        """Hand the viewer a file to keep; `kind` is its media type."""
        self.send({"what": "save", "name": name, "kind": kind}, [content])

    def copy_address(self) -> None:
        """Put the page's address into the clipboard, where the browser allows it."""
        self.send({"what": "copy"})
