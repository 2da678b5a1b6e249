"""Fine-tuning on one sentence: what editors are compared with, and the lecture's warning."""

from contextlib import contextmanager
from dataclasses import dataclass

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.probes import answer_logits


@dataclass(frozen=True)
class FineTuning:
    """How all weights are trained on one sentence. With these settings the default model learns it, and unlearns its neighbors."""

    learning_rate: float = 5e-5     # of Adam
    steps: int = 4


@contextmanager
def fine_tuned(model, prompt, target, loss, settings=FineTuning(), progress=iter):
    """The model with all its weights trained to say `target` after `prompt`, for as long as the block lasts.

    `loss(logits, target_ids)` gets (T, V), (T,) and returns a scalar to be made small. Gives the losses, one before each step.
    `progress` wraps the range of steps, as tqdm does. Afterwards every weight is the old one, bit for bit, whatever happens.
    Raises KeyholeError where the loss is anything but a finite scalar that depends on the logits.
    """
    weights = list(model.hf.parameters())
    before = [weight.detach().clone() for weight in weights]
    asked = [weight.requires_grad for weight in weights]
    try:
        yield _train(model, weights, prompt, target, loss, settings, progress)
    finally:
        with torch.no_grad():
            for weight, old, grad in zip(weights, before, asked):
                weight.grad = None
                weight.requires_grad_(grad).copy_(old)


def _train(model, weights, prompt, target, loss, settings, progress):
    for weight in weights:
        weight.requires_grad_(True)
    optimiser, losses = torch.optim.Adam(weights, lr=settings.learning_rate), []
    for _ in progress(range(settings.steps)):
        with torch.enable_grad():
            value = loss(*answer_logits(model, prompt, target))
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.isfinite():
            raise KeyholeError(problem("loss_value", got=value if isinstance(value, (float, torch.Tensor)) else type(value).__name__))
        if not value.requires_grad:
            raise KeyholeError(problem("loss_cut"))
        losses.append(value.item())
        optimiser.zero_grad()
        value.sum().backward()
        optimiser.step()
    for weight in weights:      # the memory of gradients is not kept while the model is looked at
        weight.grad = None
        weight.requires_grad_(False)
    return tuple(losses)
