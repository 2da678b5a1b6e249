"""A tab whose data cannot be read: it says why, and leaves the other tabs alone."""

from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets

from keyhole.errors import KeyholeError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Broken:
    """What stands in the place of a tab that could not be made."""

    def __init__(self, error: KeyholeError):
        self._error = error
        self._said = widgets.HTML().add_class("kh-empty")
        self.box = widgets.VBox([self._said]).add_class("kh-tab")

    def speak(self) -> None:
        """Say it in the language spoken now."""
        self._said.value = escape(str(self._error))

    def figure(self) -> "Figure":
        """Raises the error: there is nothing to draw."""
        raise self._error

    def state(self) -> dict[str, str]:
        """Nothing."""
        return {}

    def restore(self, state: dict) -> None:
        """Nothing to set."""

    def opened(self) -> None:
        """Nothing to do when the tab is opened."""

    def start(self) -> None:
        """Nothing to do."""
