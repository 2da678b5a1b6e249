"""Fine-tuning on one sentence: what editors are compared with, and the lecture's warning."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import torch
from torch.optim.adam import adam

from keyhole.errors import KeyholeError
from keyhole.interrupts import held_back
from keyhole.messages import problem
from keyhole.models import EditableModel
from keyhole.paths import check_temporary_folder
from keyhole.probes import answer_logits

PIECE = 1 << 20  # numbers of a weight that are changed at once


@dataclass(frozen=True)
class FineTuning:
    """How all weights are trained on one sentence.

    With these settings the default model learns the sentence, and unlearns its neighbors.
    """

    learning_rate: float = 5e-5  # of Adam
    steps: int = 4


@contextmanager
def fine_tuned(
    model: EditableModel,
    prompt: str,
    target: str,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    settings: FineTuning = FineTuning(),
    progress: Callable = iter,
) -> Iterator[tuple[float, ...]]:
    """The model with all its weights trained to say `target` after `prompt`, inside the block.

    `loss(logits, target_ids)` gets (T, V), (T,) and returns a scalar to be made small. Gives the
    losses, one before each step. `progress` wraps the range of steps, as tqdm does. Afterwards
    every weight is the old one, bit for bit, whatever happens; a Ctrl-C waits until they are. The
    old weights wait on disk meanwhile, and between two steps Adam's averages too, which are twice
    as large: all three together are too much memory for a small laptop.

    Raises KeyholeError where the loss is anything but a finite scalar that depends on the logits,
    and where the disk is full or no temporary folder can be written.
    """

    def current():
        return loss(*answer_logits(model, prompt, target))

    with trained(model, current, settings=settings, progress=progress) as losses:
        yield losses


@contextmanager
def trained(
    model: EditableModel,
    loss: Callable[[], torch.Tensor],
    weights: Sequence[torch.nn.Parameter] | None = None,
    settings: FineTuning = FineTuning(),
    progress: Callable = iter,
) -> Iterator[tuple[float, ...]]:
    """The model with `weights` trained so that loss() gets small, inside the block.

    `loss` runs the model and returns a scalar. Without `weights` all of them are trained. What is
    given, restored and raised is as in `fine_tuned`.
    """
    weights = list(model.hf.parameters() if weights is None else weights)
    asked = [weight.requires_grad for weight in weights]
    check_temporary_folder()
    with tempfile.TemporaryFile() as kept:
        _write(kept, *weights)
        try:
            yield _train(weights, loss, settings, progress, kept)
        finally:
            with held_back(), torch.no_grad():
                kept.seek(0)
                for weight, grad in zip(weights, asked):
                    old = torch.empty(weight.shape, dtype=weight.dtype)
                    kept.readinto(_bytes(old))
                    weight.grad = None
                    weight.requires_grad_(grad).copy_(old)


def fine_tune(
    model: EditableModel,
    prompt: str,
    target: str,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    settings: FineTuning = FineTuning(),
    progress: Callable = iter,
) -> tuple[float, ...]:
    """The same for good: nothing puts the old weights back. Returns the losses."""

    def current():
        return loss(*answer_logits(model, prompt, target))

    check_temporary_folder()
    with tempfile.TemporaryFile() as averages:
        return _train(list(model.hf.parameters()), current, settings, progress, averages)


def _bytes(weight):
    return weight.view(-1).view(torch.uint8).numpy()


def _write(file, *tensors):
    """Append tensors to a file. Raises KeyholeError where it cannot take them."""
    try:
        for each in tensors:
            file.write(_bytes(each.detach().cpu().contiguous()))
        file.flush()
    except OSError as error:
        raise KeyholeError(
            problem("weights_not_kept", folder=tempfile.gettempdir(), reason=error.strerror)
        ) from None


class _Adam:
    """torch's Adam for one weight; its averages wait in a file between two steps, on a GPU there.

    `place` is where the file has room for them.
    """

    def __init__(self, weight: torch.Tensor, settings: FineTuning, file: BinaryIO, place: int):
        self._weight, self._settings = weight, settings
        self._file, self._place = file, place
        self._there: list[torch.Tensor] = []  # a GPU's
        self._steps = 0

    @torch.no_grad()
    def step(self, grad: torch.Tensor) -> None:
        """Change the weight piece by piece: what is in between would be as large as the weight."""
        whole = torch.atleast_1d(self._weight)
        rows = max(1, PIECE * len(whole) // whole.numel())
        pieces = zip(whole.split(rows), torch.atleast_1d(grad).split(rows))
        place = self._place
        for number, (weight, grad) in enumerate(pieces):
            averages = self._averages(number, weight, place)
            self._change(weight, grad, *averages)
            if not weight.is_cuda and self._steps + 1 < self._settings.steps:
                self._file.seek(place)
                _write(self._file, averages)
            place += averages.nbytes
        self._steps += 1

    def _averages(self, number, weight, place):
        """Those of a piece, (2, ...): of its gradient and of the gradient's square."""
        if weight.is_cuda and self._steps:
            return self._there[number]
        averages = weight.new_zeros(2, *weight.shape)
        if weight.is_cuda:
            self._there.append(averages)
        elif self._steps:
            self._file.seek(place)
            self._file.readinto(_bytes(averages))
        return averages

    def _change(self, weight, grad, mean, square):
        state = [mean], [square], [], [torch.tensor(float(self._steps))]
        adam(
            [weight],
            [grad],
            *state,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self._settings.learning_rate,
            weight_decay=0,
            eps=1e-8,
            maximize=False,
        )


def _train(weights, loss, settings, progress, file):
    """Make `loss()` small; returns the losses, one before each step.

    Each weight is changed as soon as its gradient is there, and the gradient is let go: all
    gradients at once would be as large as the model. `file` is open at its end.
    """
    optimisers, place = {}, file.tell()
    for weight in weights:
        optimisers[weight] = _Adam(weight, settings, file, place)
        place += 2 * weight.nbytes

    def step(weight):
        optimisers[weight].step(weight.grad)
        weight.grad = None

    for weight in weights:
        weight.requires_grad_(True)
    hooks, losses = [weight.register_post_accumulate_grad_hook(step) for weight in weights], []
    try:
        for _ in progress(range(settings.steps)):
            with torch.enable_grad():
                value = loss()
            losses.append(_checked(value))
            value.sum().backward()
    finally:
        with held_back():
            for hook in hooks:
                hook.remove()
    for weight in weights:
        weight.requires_grad_(False)
    return tuple(losses)


def _checked(value):
    """The loss as a number. Raises KeyholeError where nothing can be learned from it."""
    if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.isfinite():
        shown = value if isinstance(value, (float, torch.Tensor)) else type(value).__name__
        raise KeyholeError(problem("loss_value", got=shown))
    if not value.requires_grad:
        raise KeyholeError(problem("loss_cut"))
    return value.item()
