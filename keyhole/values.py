"""The value v*: what W should give out for the subject so that the model goes on to say the target. (ROME, section 3.1, eq. 4)

The loop is given; what it minimises, the student writes.
"""

from dataclasses import dataclass

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import misconception, problem
from keyhole.hooks import edit, record
from keyhole.suspended import Suspended


@dataclass(frozen=True)
class ValueSettings:
    """How v* is searched; the paper's settings."""

    learning_rate: float = 0.5  # of Adam
    steps: int = 25  # at most
    stop: float = 0.05  # nats: a loss below this is good enough
    clamp: float = 4.0  # |delta| stays below this many |v0|
    kl_weight: float = 0.0625  # handed to the objective
    decay: float = 0.5  # handed to the objective


@dataclass(frozen=True)
class Value:
    """What the search found: `value` is v* (d_out,), without W's bias; `losses` in nats, one a step."""

    value: torch.Tensor
    losses: tuple
    target_probability: float  # mean over the prefixed prompts of the target's, in the last step


def optimise_value(
    model,
    layer,
    prompt,
    subject,
    target,
    prefixes,
    objective,
    settings=ValueSettings(),
    progress=iter,
):
    """Find v*: W's output at the subject's last token of the bare prompt, plus a delta that makes `target` likely.

    The same delta is added at the subject's last token of `prefix + prompt` for every prefix, the empty one among them.
    `objective(target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay)` gets
    log probabilities in nats: of the M target tokens in each of the N prompts (N, M); of every next token at the
    subject's last token of "{subject} is a", now and before the edit (V,), (V,). It returns a scalar.
    `progress` wraps the range of steps, as tqdm does. Only what delta can change is computed anew in a step: blocks
    from `layer` on, positions from the subject's last token on, logits where they are read.
    Raises KeyholeError where the target has no tokens, the empty prefix is missing, the subject is not in the prompt,
    or the objective returns anything but a finite scalar that depends on delta.
    """
    if "" not in prefixes:
        raise KeyholeError(problem("no_empty_prefix"))
    [target_ids] = model.encode([target])
    texts = [prefix + prompt for prefix in prefixes] + [f"{subject} is a"]
    lengths = [len(ids) for ids in model.encode(texts)]
    ids = [tokens + target_ids[:-1] for tokens in model.encode(texts[:-1])] + model.encode(
        texts[-1:]
    )
    starts = [model.subject_slice(text, subject).stop - 1 for text in texts]
    suspended = Suspended(model, ids, layer, starts)
    # Row i of the tails predicts target token j at the prompt's last token plus j.
    rows = torch.arange(len(prefixes), device=model.device)[:, None]
    columns = torch.tensor(
        [length - 1 - start for length, start in zip(lengths, starts)][:-1], device=model.device
    )[:, None] + torch.arange(len(target_ids), device=model.device)
    wanted = torch.tensor(target_ids, device=model.device).expand(len(prefixes), -1)

    def log_probs():
        states = suspended.run()
        chosen = torch.cat([states[rows, columns].flatten(0, 1), states[-1:, 0]])
        everything = model.logits(chosen).log_softmax(-1)
        return (
            everything[:-1].view(*wanted.shape, -1).gather(-1, wanted[..., None]).squeeze(-1),
            everything[-1],
        )

    with record(model.memory(layer)) as seen, torch.no_grad():
        _, kl_before = log_probs()
    value_before = seen.output[list(prefixes).index(""), 0].clone()  # with the bias, if W has one
    delta = torch.zeros_like(value_before, requires_grad=True)
    optimiser = torch.optim.Adam([delta], lr=settings.learning_rate)

    def insert(output):
        return torch.cat([output[:, :1] + delta, output[:, 1:]], dim=1)

    losses = []
    for step in progress(range(settings.steps)):
        with edit(model.memory(layer), insert), torch.enable_grad():
            target_log_probs, kl_now = log_probs()
            loss = objective(
                target_log_probs,
                kl_now,
                kl_before,
                delta,
                value_before,
                settings.kl_weight,
                settings.decay,
            )
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
    probability = target_log_probs.detach().sum(-1).exp().mean().item()
    bias = model.bias(layer)
    value = value_before + delta.detach() - (0 if bias is None else bias)
    return Value(value, tuple(losses), probability)


def _checked(loss):
    """The loss as a number. Raises KeyholeError where it cannot be minimised."""
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        raise KeyholeError(problem("objective_type", got=type(loss).__name__))
    if not loss.isfinite():
        raise KeyholeError(problem("objective_value", got=loss.item()))
    if not loss.requires_grad:
        raise KeyholeError(problem("objective_cut"))
    return loss.item()
