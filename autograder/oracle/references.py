"""The reference matrices: the change that ROME makes in the real model, for some facts held back.

Each is stored as two factors. `autograder remake references` makes them; references.json says how,
and references.safetensors holds the numbers in float64.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from autograder.oracle import editing, metrics
from keyhole.facts import Fact, load_facts
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_prefixes, load_text
from keyhole.probes import ProbeSet
from keyhole.values import Rewrite, ValueSettings, optimise_value

FOLDER = Path(__file__).resolve().parent.parent / "reference"
NUMBERS, HOW = FOLDER / "references.safetensors", FOLDER / "references.json"
MEAN = FOLDER / "mean_key.safetensors"
COUNT = 8
Scores = dict[str, metrics.ProbabilityScore]
KNOWN: dict[tuple[EditableModel, bytes], Scores] = {}  # of changes that were measured already


@dataclass(frozen=True)
class Reference:
    """One fact's k* (d_in,), v* (d_out,) and the factors of Ŵ - W = left rightᵀ, all float64."""

    fact: Fact
    key: Tensor
    value: Tensor
    left: Tensor
    right: Tensor

    def change(self) -> Tensor:
        """Ŵ - W, (d_out, d_in)."""
        return torch.outer(self.left, self.right)


def _how() -> dict:
    return json.loads(HOW.read_text(encoding="utf-8"))


@cache
def facts() -> list[Fact]:
    """The facts that have a reference matrix, in order; all of them held back from students."""
    known = {fact.id: fact for fact in load_facts()}
    return [known[name] for name in _how()["facts"]]


@cache
def load() -> list[Reference]:
    """All reference matrices."""
    numbers = load_file(NUMBERS)
    return [
        Reference(
            fact, *(numbers[f"{fact.id}.{part}"] for part in ("key", "value", "left", "right"))
        )
        for fact in facts()
    ]


def weight_shape() -> tuple[int, int]:
    """The shape (d_out, d_in) of the W that they change."""
    first = load()[0]
    return len(first.left), len(first.right)


@cache
def mean_key() -> Tensor:
    """The mean of the keys whose second moment is C: (d_in,), float64. A centred C lacks it."""
    return load_file(MEAN)["mean"]


@cache
def probe_set(model: EditableModel, fact: Fact) -> ProbeSet:
    """A fact's probes, run through the layers below the edited one once for all submissions."""
    return ProbeSet(model, fact.probes(), DEFAULT_LAYER)


def measured(model: EditableModel, changes: Iterable[Tensor]) -> Scores:
    """The metrics of the reference facts, with one change Ŵ - W for each, in their order."""
    edits = []
    for fact, change in zip(facts(), changes, strict=True):
        probes = probe_set(model, fact)
        with model.edited(DEFAULT_LAYER, change):
            edits.append(metrics.by_kind(fact, probes.log_probabilities()))
    return metrics.scores(edits)


def measured_once(model: EditableModel, changes: Sequence[Tensor]) -> Scores:
    """`measured`, run once for changes that are the same to the last bit.

    The changes that one formula gives on one machine are.
    """
    seen = hashlib.sha256()
    for change in changes:
        seen.update(change.contiguous().numpy())
    if (model, seen.digest()) not in KNOWN:
        KNOWN[model, seen.digest()] = measured(model, changes)
    return KNOWN[model, seen.digest()]


@cache
def scores(model: EditableModel) -> Scores:
    """The metrics with the reference matrices, on this machine.

    A metric that is near to a tie may fall the other way on another machine.
    """
    return measured(model, [reference.change().float() for reference in load()])


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """Make the references anew, and return the file of numbers.

    k* and the closed form come from the oracle, v* from keyhole's loop with the oracle's objective.
    """
    chosen = _chosen(load_facts())
    numbers, edits, losses = {}, [], {}
    for fact in progress(chosen):
        reference, steps = _made(model, fact)
        parts = ("key", "value", "left", "right")
        numbers |= {f"{fact.id}.{part}": getattr(reference, part).contiguous() for part in parts}
        with model.edited(DEFAULT_LAYER, reference.change().float()):
            probes = ProbeSet(model, fact.probes(), DEFAULT_LAYER)
            edits.append(metrics.by_kind(fact, probes.log_probabilities()))
        losses[fact.id] = [round(loss, 4) for loss in steps]
    save_file(numbers, NUMBERS)
    save_file({"mean": _mean_key(model)}, MEAN)
    how = {
        "model": "smollm2-135m",
        "layer": DEFAULT_LAYER,
        "facts": [fact.id for fact in chosen],
        "key": "mean over data/prefixes.json of the float64 key, rounded to float32",
        "moment": f"data/moment_smollm2-135m_layer{DEFAULT_LAYER}.safetensors",
        "value": {"settings": asdict(ValueSettings()), "losses": losses},
        "mean_key": "mean key over data/self_text.safetensors, in mean_key.safetensors, float64",
        "change": (
            "left (d_out) times right (d_in) transposed, float64, by autograder.oracle.editing"
        ),
        "scores": {kind: score.share for kind, score in metrics.scores(edits).items()},
    }
    HOW.write_text(json.dumps(how, indent=1) + "\n", encoding="utf-8")
    return NUMBERS


def _made(model: EditableModel, fact: Fact) -> tuple[Reference, list[float]]:
    """One fact's reference, and the losses of the search for v*."""
    where = model, DEFAULT_LAYER, fact.prompt, fact.subject
    prefixes, weight = load_prefixes(), model.weight(DEFAULT_LAYER).detach()
    rewrite = Rewrite(fact.prompt, fact.subject, fact.target_new, prefixes)
    search = optimise_value(model, DEFAULT_LAYER, rewrite, editing.value_objective)
    # Rounded first: students are handed k* and v* in float32, and the reference is that of what
    # they are handed.
    key = editing.subject_key(*where, prefixes).float().double()
    value = search.value.double()
    factors = editing.factors(weight, load_moment(), key, value)
    return Reference(fact, key, value, *factors), search.losses


def _mean_key(model: EditableModel) -> Tensor:
    text = load_text()
    total = sum(keys.double().sum(0) for keys in keys_over(model, DEFAULT_LAYER, text))
    return total / text.numel()


def _chosen(all_facts: Iterable[Fact]) -> list[Fact]:
    """The first facts held back, one relation after another, so that they differ in kind."""
    held: dict[str, list[Fact]] = {}
    for fact in all_facts:
        if fact.hidden:
            held.setdefault(fact.relation, []).append(fact)
    rounds = [
        queue[i]
        for i in range(max(map(len, held.values()), default=0))
        for queue in held.values()
        if i < len(queue)
    ]
    return rounds[:COUNT]
