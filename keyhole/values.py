"""The value v*: what W should give out for the subject so that the model says the target.

The loop is given here; the objective that it minimises is the student's. (ROME, section 3.1, eq. 4)
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.messages import misconception, problem
from keyhole.models import EditableModel
from keyhole.suspended import Suspended


@dataclass(frozen=True)
class Rewrite:
    """What the model is to say: `target` after `prompt`, whichever prefix comes before it."""

    prompt: str
    subject: str
    target: str
    prefixes: Sequence[str]  # the empty one among them: v* is defined on the bare prompt


@dataclass(frozen=True)
class ValueSettings:
    """How v* is searched; as the authors' settings for GPT-2 XL, but for the number of steps."""

    learning_rate: float = 0.5  # of Adam
    steps: int = 25  # at most; the authors' file says 20
    stop: float = 0.05  # nats: a loss below this is good enough
    clamp: float = 4.0  # |delta| stays below this many |v0|
    kl_weight: float = 0.0625  # handed to the objective
    decay: float = 0.5  # handed to the objective


@dataclass(frozen=True)
class Value:
    """What the search found: `value` is v* (d_out,), without W's bias."""

    value: torch.Tensor
    losses: tuple[float, ...]  # in nats, one a step
    target_probability: float  # in the last step, a mean over the prefixed prompts


def optimise_value(
    model: EditableModel,
    layer: int,
    rewrite: Rewrite,
    objective: Callable[..., torch.Tensor],
    settings: ValueSettings = ValueSettings(),
    progress: Callable = iter,
) -> Value:
    """Find v*: W's output at the subject's last token of the bare prompt, plus a delta.

    The delta makes the target likely. The same delta is added at the subject's last token of
    `prefix + prompt` for every prefix. `objective(target_log_probs, kl_log_probs,
    kl_log_probs_before, delta, value_before, kl_weight, decay)` gets log probabilities in nats: of
    the M target tokens in each of the N prompts, (N, M); of every next token at the subject's last
    token of "{subject} is a", now and before the edit, (V,) and (V,). It returns a scalar.
    `progress` wraps the range of steps, as tqdm does.

    Raises KeyholeError where the target has no tokens, the empty prefix is missing, the subject is
    not in the prompt, or the objective returns anything but a finite scalar that depends on delta.
    """
    if "" not in rewrite.prefixes:
        raise KeyholeError(problem("no_empty_prefix"))
    texts = _Texts(model, layer, rewrite)
    bare = list(rewrite.prefixes).index("")
    delta = model.weight(layer).new_zeros(model.weight(layer).shape[0]).requires_grad_()
    optimiser = torch.optim.Adam([delta], lr=settings.learning_rate)
    weights = (settings.kl_weight, settings.decay)
    losses = []
    for step in progress(range(settings.steps)):
        # What is seen is what W gives out before delta is added.
        with record(model.memory(layer)) as seen, _inserted(model, layer, delta):
            target_log_probs, kl_now = texts.log_probs()
            if step == 0:  # delta is still zero: the model as it is
                value_before = seen.output[bare, 0].clone()  # with the bias, if W has one
                kl_before = kl_now.detach().clone()
            loss = objective(target_log_probs, kl_now, kl_before, delta, value_before, *weights)
        losses.append(_checked(loss))
        if losses[-1] < settings.stop or step == settings.steps - 1:
            break
        optimiser.zero_grad()
        loss.backward()
        if not delta.grad.isfinite().all():
            raise KeyholeError(misconception("root_at_zero"))
        optimiser.step()
        with torch.no_grad():
            delta *= (settings.clamp * value_before.norm() / delta.norm()).clamp(max=1)
    bias = model.bias(layer)
    value = value_before + delta.detach() - (0 if bias is None else bias)
    probability = target_log_probs.detach().sum(-1).exp().mean().item()
    return Value(value, tuple(losses), probability)


class _Texts:
    """The prefixed prompts with their target, and "{subject} is a", run as far as delta is absent.

    A step computes only what delta can change: blocks from `layer` on, positions from the subject's
    last token on, logits where they are read.
    """

    def __init__(self, model, layer, rewrite):
        prefixes, prompt, subject = rewrite.prefixes, rewrite.prompt, rewrite.subject
        [target] = model.encode_targets([rewrite.target])
        texts = [prefix + prompt for prefix in prefixes] + [f"{subject.strip()} is a"]
        *prompts, last = model.encode(texts)
        starts = [model.subject_slice(text, subject).stop - 1 for text in texts]
        ids = [tokens + target[:-1] for tokens in prompts] + [last]
        self._model, self._suspended = model, Suspended(model, ids, layer, starts)
        # Row i of the tails predicts target token j at the prompt's last token plus j.
        first = [len(tokens) - 1 - start for tokens, start in zip(prompts, starts)]
        self._rows = torch.arange(len(prefixes), device=model.device)[:, None]
        self._columns = torch.tensor(first, device=model.device)[:, None] + torch.arange(
            len(target), device=model.device
        )
        self._wanted = torch.tensor(target, device=model.device).expand(len(prefixes), -1)

    def log_probs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the target's tokens (N, M), and of what comes after the subject (V,), in nats."""
        states = self._suspended.run()
        chosen = torch.cat([states[self._rows, self._columns].flatten(0, 1), states[-1:, 0]])
        everything = self._model.logits(chosen).log_softmax(-1)
        of_prompts = everything[:-1].view(*self._wanted.shape, -1)
        return of_prompts.gather(-1, self._wanted[..., None]).squeeze(-1), everything[-1]


@contextmanager
def _inserted(model, layer, delta) -> Iterator[None]:
    """The model with delta added to W's output at the first position run, with gradients."""

    def insert(output):
        return torch.cat([output[:, :1] + delta, output[:, 1:]], dim=1)

    with edit(model.memory(layer), insert), torch.enable_grad():
        yield


def _checked(loss):
    """The loss as a number. Raises KeyholeError where it cannot be minimised."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise KeyholeError(problem("objective_type", got=type(loss).__name__))
    if not loss.isfinite():
        raise KeyholeError(problem("objective_value", got=loss.item()))
    if not loss.requires_grad:
        raise KeyholeError(problem("objective_cut"))
    return loss.item()
