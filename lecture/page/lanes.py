"""Worker threads, so that the page answers while the model computes."""

import threading
from collections.abc import Callable
from queue import SimpleQueue

from keyhole.errors import KeyholeError
from keyhole.text import one_line
from lecture.page.words import say

Work = Callable[[threading.Event], None]  # gets the event that is set when it shall stop


class Lane:
    """One thread that does one thing after the other.

    `failed` gets the error of a piece of work that could not be done; `idle` is told False and True
    as the lane starts to work and has no more to do.
    """

    def __init__(self, failed: Callable[[KeyholeError], None], idle: Callable[[bool], None]):
        self._failed, self._idle = failed, idle
        self._queue: SimpleQueue = SimpleQueue()
        self._open: list[threading.Event] = []  # of what is in work, or waits for it
        threading.Thread(target=self._run, daemon=True).start()

    def put(self, work: Work, waiting: bool = False) -> None:
        """Do `work` in place of what is in work; or, `waiting`, after it."""
        if not waiting:
            self.stop()
        stopped = threading.Event()
        self._open.append(stopped)
        self._queue.put((work, stopped))

    def stop(self) -> None:
        """Ask everything in work to stop."""
        for each in list(self._open):  # the thread takes away what is done
            each.set()

    def _run(self):
        while True:
            work, stopped = self._queue.get()
            if not stopped.is_set():
                self._idle(False)
                self._do(work, stopped)
            self._open.remove(stopped)
            if not self._open:
                self._idle(True)

    def _do(self, work, stopped):
        try:
            work(stopped)
        except KeyholeError as error:
            replaced = error.code == "cancelled" and len(self._open) > 1
            if not replaced:  # something newer has taken its place, and has its own words
                self._failed(error)
        except Exception as error:  # whatever it is, the viewer reads a sentence
            what = one_line(f"{type(error).__name__}: {error}", 200)
            self._failed(KeyholeError(say("unexpected", what=what)))
