"""How a long call says how far it is, and how it is stopped without leaving anything half done."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from lecture.messages import sentence


class Cancelled(KeyholeError):
    """Somebody stopped a long call; everything is as it was before it."""


@dataclass(frozen=True)
class Progress:
    """How far a part of a long call is."""

    part: str  # "before", "key", "value", "moment", "change", "after", "tuning" or "row"
    done: int
    total: int


Told = Callable[[Progress], None]


def ignore(*_: object) -> None:
    """Nobody watches."""


def never() -> bool:
    """Nobody stops it."""
    return False


@dataclass(frozen=True)
class Watch:
    """Who is told of progress, and who is asked whether to go on."""

    progress: Told = ignore
    cancelled: Callable[[], bool] = never

    def ask(self, *_: object) -> None:
        """Raises Cancelled where somebody wants the call to stop."""
        if self.cancelled():
            raise Cancelled(sentence("cancelled"))

    def tell(self, part: str, done: int = 0, total: int = 1) -> None:
        """Ask, then tell."""
        self.ask()
        self.progress(Progress(part, done, total))

    def bar(self, part: str) -> Callable[[Iterable], Iterator]:
        """What wraps an iterable with a length, as tqdm does."""
        return partial(self._counted, part)

    def _counted(self, part, each):
        for done, item in enumerate(each):
            self.tell(part, done, len(each))
            yield item
        self.tell(part, len(each), len(each))

    @contextmanager
    def over(self, model: EditableModel) -> Iterator[None]:
        """Ask before every block that the model runs, as long as the block of code lasts."""
        handles = [block.register_forward_pre_hook(self.ask) for block in model.blocks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
