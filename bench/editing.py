"""One whole edit, beside the textbook's search for v*, which runs everything at each step."""

from collections.abc import Iterator

import torch
from torch import Tensor

from autograder.oracle import editing
from bench.row import Row, timed
from keyhole.facts import load_facts
from keyhole.hooks import edit
from keyhole.models import EditableModel, load_model
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.probes import ProbeSet
from keyhole.values import Rewrite, ValueSettings, optimise_value

PROMPT, SUBJECT, TARGET = "The Eiffel Tower is located in the city of", "Eiffel Tower", " Rome"


def log_probs_of(target_ids: list[int], log_probs: Tensor, starts: list[int]) -> Tensor:
    """Those of a target's tokens, which begin at token `starts[i]` of row i."""
    return torch.stack(
        [
            log_probs[row, start - 1 + place, token]
            for row, start in enumerate(starts)
            for place, token in enumerate(target_ids)
        ]
    )


def textbook_value(
    model: EditableModel, layer: int, rewrite: Rewrite, settings: ValueSettings
) -> tuple[Tensor, list[float]]:
    """v*, with W's bias, and the losses, by full forward passes with logits everywhere.

    One padded batch a step; the same objective and settings as optimise_value.
    """
    [target_ids] = model.encode_targets([rewrite.target])
    texts = [prefix + rewrite.prompt for prefix in rewrite.prefixes] + [f"{rewrite.subject} is a"]
    ids = model.encode(texts)
    batch = model.batch([tokens + target_ids[:-1] for tokens in ids[:-1]] + ids[-1:])
    last = torch.tensor([model.subject_slice(text, rewrite.subject).stop - 1 for text in texts])
    rows = torch.arange(len(texts))
    before = {}
    delta = torch.zeros(model.weight(layer).shape[0], requires_grad=True)
    optimiser = torch.optim.Adam([delta], lr=settings.learning_rate)

    def insert(output):
        before.setdefault("value", output[0, last[0]].detach().clone())
        changed = output.clone()
        changed[rows, last] = changed[rows, last] + delta
        return changed

    losses = []
    for step in range(settings.steps):
        with edit(model.memory(layer), insert):
            log_probs = model.hf(batch, use_cache=False).logits.log_softmax(-1)
        kl = log_probs[-1, last[-1]]
        before.setdefault("kl", kl.detach())
        targets = log_probs_of(target_ids, log_probs, list(map(len, ids[:-1])))
        loss = editing.value_objective(
            targets, kl, before["kl"], delta, before["value"], settings.kl_weight, settings.decay
        )
        losses.append(loss.item())
        if losses[-1] < settings.stop or step == settings.steps - 1:
            break
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            delta *= (settings.clamp * before["value"].norm() / delta.norm()).clamp(max=1)
    return before["value"] + delta.detach(), losses


def rows() -> Iterator[Row]:
    model = load_model()
    rewrite = Rewrite(PROMPT, SUBJECT, TARGET, load_prefixes())
    model.next_token_probabilities([PROMPT])
    key, key_seconds = timed(
        lambda: editing.subject_key(model, DEFAULT_LAYER, PROMPT, SUBJECT, rewrite.prefixes)
    )
    search, value_seconds = timed(
        lambda: optimise_value(model, DEFAULT_LAYER, rewrite, editing.value_objective)
    )
    moment, moment_seconds = timed(load_moment)
    new, update_seconds = timed(
        lambda: editing.rank_one_update(model.weight(DEFAULT_LAYER), moment, key, search.value)
    )
    (value, losses), textbook_seconds = timed(
        lambda: textbook_value(model, DEFAULT_LAYER, rewrite, ValueSettings())
    )
    whole = key_seconds + value_seconds + moment_seconds + update_seconds
    yield Row(
        "one whole edit, 21 prefixes (baseline: textbook v*)",
        whole,
        key_seconds + textbook_seconds + moment_seconds + update_seconds,
        "at most 12 s, better 9 s",
        (
            (
                f"k* {key_seconds:.2f} s, v* {value_seconds:.2f} s in {len(search.losses)} steps, C"
                f" {moment_seconds:.2f} s, Ŵ {update_seconds:.2f} s"
            ),
            (
                f"the textbook's v* took {len(losses)} steps; the two differ by"
                f" {((value - search.value).norm() / value.norm()):.0e} of their size"
            ),
        ),
    )
    change = (new - model.weight(DEFAULT_LAYER)).float()
    fact = next(fact for fact in load_facts() if sum(map(len, fact.probes().values())) == 14)
    probes = ProbeSet(model, fact.probes(), DEFAULT_LAYER)
    with model.edited(DEFAULT_LAYER, change):
        _, seconds = timed(probes.log_probabilities)
    yield Row("measure one edit on 14 probes, after the first", seconds, target="at most 0.5 s")
