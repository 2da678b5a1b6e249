"""A progress bar for notebooks that is plain text, in a place of its own in the cell's output.

tqdm's own bar for notebooks is a widget. A widget lives only as long as its kernel: a notebook
opened again shows an error in its place. It also turns red for good where a loop ends early, as the
search for v* does. And tqdm's bar for terminals writes to stderr, which a notebook shows in pink.
"""

from IPython.display import DisplayHandle, display
from tqdm import tqdm as terminal_bar


class _Text:
    """What a notebook shows as it is, and keeps."""

    def __init__(self, text: str):
        self._text = text

    def __repr__(self) -> str:
        return self._text


class tqdm(terminal_bar):
    """tqdm for a notebook: gone when its loop ends, however it ends, unless `leave` is true."""

    _place: DisplayHandle | None = None

    def __init__(self, *args, leave: bool = False, **kwargs):
        # For `gui` tqdm prints nothing by itself: it calls display() below.
        super().__init__(*args, leave=leave, ncols=80, ascii=False, gui=True, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show the bar as it is now."""
        text = _Text(str(self) if msg is None else msg)
        if self._place:
            self._place.update(text)
        else:
            self._place = display(text, display_id=True)

    def close(self) -> None:
        """End the bar: its place stays empty, or keeps the last look."""
        if not self.disable:
            super().close()
            if self._place:
                self.display(None if self.leave else "")
