"""Ctrl-C, held back while something is put back as it was."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """Let no Ctrl-C into the block: it does what it always does, but after the block.

    So a second Ctrl-C cannot cut short what the first one began to put back. Only the main thread
    is ever interrupted; in any other the block simply runs.
    """
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(usual):
        yield
        return
    pressed = []
    signal.signal(signal.SIGINT, lambda *call: pressed.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if pressed:
            usual(*pressed[-1])
