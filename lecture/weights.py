"""The weights of the one model: as they were loaded, and with what is planted in them."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.finetuning import fine_tuned
from keyhole.interrupts import held_back
from lecture.messages import sentence

MOST_PLANTED = 40  # each keeps a W of 3.5 MB


@dataclass(frozen=True)
class _Step:
    """One change of the weights, and how it is taken back."""

    number: int
    layer: int | None = None  # None: all weights, by fine-tuning
    before: Tensor | None = None  # W of that layer
    change: Tensor | None = None  # what was added to it, `factor` times
    factor: float = 1.0
    tuned: ExitStack | None = None  # closing it puts all weights back


class Weights:
    """A model whose changes are taken back bit for bit, the last one first.

    `lock` belongs to whoever runs or changes the model.
    """

    def __init__(self, model: EditableModel):
        self.model, self.lock = model, threading.RLock()
        self._steps: list[_Step] = []
        self._number = 0
        self._loaded: str | None = None  # the digest, before the first change

    @property
    def state(self) -> tuple[int, ...]:
        """Numbers of the changes in force: two equal states are equal bit for bit."""
        return tuple(step.number for step in self._steps)

    @property
    def tuned(self) -> bool:
        """Is a fine-tuning in force?"""
        return any(step.tuned for step in self._steps)

    def check_room(self) -> None:
        """Raises KeyholeError where so much is planted that memory would run short."""
        if len(self._steps) >= MOST_PLANTED:
            raise KeyholeError(sentence("too_many", most=MOST_PLANTED))

    def add(self, layer: int, change: Tensor, factor: float = 1.0) -> None:
        """Add `change` (d_out, d_in) to W of a layer, `factor` times, until it is undone."""
        before = self.model.weight(layer).detach().clone()
        self._put(_Step(self._next(), layer, before, change.to(before), factor), self._steps)

    def rescale(self, factor: float) -> None:
        """Take the last change, of a single layer, so many times instead."""
        *others, last = self._steps
        self._put(replace(last, number=self._next(), factor=factor), others)

    def _put(self, step, others):
        """Make a step, and say so, without a Ctrl-C in between."""
        self._remember()
        with held_back(), torch.no_grad():
            self.model.weight(step.layer).copy_(step.before + step.factor * step.change)
            self._steps = [*others, step]

    def tune(
        self, prompt: str, target: str, loss: Callable[..., Tensor], progress: Callable = iter
    ) -> tuple[float, ...]:
        """Fine-tune all weights on one sentence until it is undone; the losses, in nats.

        `loss` and `progress` are those of keyhole.finetuning.fine_tuned. Raises KeyholeError where
        the old weights cannot be kept on disk, and where they are kept there already.
        """
        if self.tuned:
            raise KeyholeError(sentence("one_tuning"))
        self._remember()
        with ExitStack() as stack:
            tuning = fine_tuned(self.model, prompt, target, loss, progress=progress)
            losses = stack.enter_context(tuning)
            self._steps = [*self._steps, _Step(self._next(), tuned=stack.pop_all())]
        return losses

    def undo(self) -> None:
        """Take the last change back. Raises KeyholeError where there is none."""
        if not self._steps:
            raise KeyholeError(sentence("nothing_planted"))
        *others, last = self._steps
        with held_back():
            if last.tuned:
                last.tuned.close()
            else:
                self.model.weight(last.layer).copy_(last.before)
            self._steps = others

    @contextmanager
    def as_loaded(self) -> Iterator[None]:
        """The model without the changes of single layers, as long as the block lasts."""
        first = {step.layer: step.before for step in reversed(self._steps)}
        now = {layer: self.model.weight(layer).detach().clone() for layer in first}
        try:
            for layer, before in first.items():
                self.model.weight(layer).copy_(before)
            yield
        finally:
            with held_back():
                for layer, weight in now.items():
                    self.model.weight(layer).copy_(weight)

    def last_change(self) -> tuple[Tensor, Tensor]:
        """W before the last change of a single layer, and what that change added to it."""
        last = self._steps[-1]
        return last.before, self.model.weight(last.layer).detach() - last.before

    def changed_layers(self) -> tuple[int, ...]:
        """The layers whose W an edit changed, in order."""
        return tuple(sorted({step.layer for step in self._steps if step.layer is not None}))

    def digests(self) -> tuple[str, str]:
        """SHA-256 of all parameters, as they were loaded and as they are now."""
        self._remember()
        return self._loaded, self._digest()

    def _remember(self):
        """The digest of the weights as they were loaded, once, before anything changes them."""
        if self._loaded is None:
            self._loaded = self._digest()

    def _digest(self):
        seen = hashlib.sha256()
        for weight in self.model.hf.parameters():
            seen.update(weight.detach().cpu().contiguous().view(-1).numpy())
        return seen.hexdigest()

    def _next(self):
        self._number += 1
        return self._number
