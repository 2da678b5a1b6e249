"""The reference matrices: for some facts held back, on the real model, the change that ROME makes, as two factors.

`autograder remake references` makes them; references.json says how, safetensors holds the numbers in float64.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from autograder.oracle import editing, metrics
from keyhole.facts import load_facts
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_prefixes, load_text
from keyhole.probes import ProbeSet
from keyhole.values import Rewrite, ValueSettings, optimise_value

FOLDER = Path(__file__).resolve().parent.parent / "reference"
NUMBERS, HOW, MEAN = (
    FOLDER / "references.safetensors",
    FOLDER / "references.json",
    FOLDER / "mean_key.safetensors",
)
COUNT = 8
KNOWN = {}  # metrics that were run already: (model, what the changes were) -> scores


@dataclass(frozen=True)
class Reference:
    """One fact's k* (d_in,), v* (d_out,) and the factors of Ŵ - W = left rightᵀ, all float64."""

    fact: object
    key: torch.Tensor
    value: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor

    def change(self):
        """Ŵ - W, (d_out, d_in)."""
        return torch.outer(self.left, self.right)


def _how():
    return json.loads(HOW.read_text(encoding="utf-8"))


@cache
def facts():
    """The facts that have a reference matrix, in order; all of them held back from students."""
    known = {fact.id: fact for fact in load_facts()}
    return [known[name] for name in _how()["facts"]]


@cache
def load():
    """All reference matrices: list of Reference."""
    numbers = load_file(NUMBERS)
    return [
        Reference(
            fact, *(numbers[f"{fact.id}.{part}"] for part in ("key", "value", "left", "right"))
        )
        for fact in facts()
    ]


@cache
def mean_key():
    """The mean of the keys whose second moment is C: (d_in,), float64. Whoever centres C takes it out."""
    return load_file(MEAN)["mean"]


@cache
def probe_set(model, fact):
    """A fact's probes, run through the layers below the edited one once for all submissions."""
    return ProbeSet(model, fact.probes(), DEFAULT_LAYER)


def measured(model, changes):
    """The metrics of the reference facts with one change Ŵ - W each, in their order: {kind: Score}."""
    found = []
    for fact, change in zip(facts(), changes, strict=True):
        probes = probe_set(model, fact)
        with model.edited(DEFAULT_LAYER, change):
            found.append(metrics.by_kind(fact, probes.log_probabilities()))
    return metrics.scores(found)


def measured_once(model, changes):
    """`measured`, run once for changes that are the same to the last bit, as those of one formula are on one machine."""
    seen = hashlib.sha256()
    for change in changes:
        seen.update(change.contiguous().numpy())
    if (model, seen.digest()) not in KNOWN:
        KNOWN[model, seen.digest()] = measured(model, changes)
    return KNOWN[model, seen.digest()]


@cache
def scores(model):
    """The metrics with the reference matrices, on this machine: one near to a tie may fall the other way on another."""
    return measured(model, [reference.change().float() for reference in load()])


def make(model, progress=iter):
    """Make the references anew: k* and the closed form by the oracle, v* by keyhole's loop with the oracle's objective."""
    chosen = _chosen(load_facts())
    moment, weight = load_moment(), model.weight(DEFAULT_LAYER).detach()
    numbers, measured, losses = {}, [], {}
    for fact in progress(chosen):
        key = editing.subject_key(model, DEFAULT_LAYER, fact.prompt, fact.subject, load_prefixes())
        rewrite = Rewrite(fact.prompt, fact.subject, fact.target_new, load_prefixes())
        found = optimise_value(model, DEFAULT_LAYER, rewrite, editing.value_objective)
        # Rounded first: students are handed k* and v* in float32, and the reference is that of what they are handed.
        key, value = key.float().double(), found.value.double()
        left, right = editing.factors(weight, moment, key, value)
        numbers |= {
            f"{fact.id}.{part}": tensor.contiguous()
            for part, tensor in (("key", key), ("value", value), ("left", left), ("right", right))
        }
        with model.edited(DEFAULT_LAYER, torch.outer(left, right).float()):
            measured.append(
                metrics.by_kind(
                    fact, ProbeSet(model, fact.probes(), DEFAULT_LAYER).log_probabilities()
                )
            )
        losses[fact.id] = [round(loss, 4) for loss in found.losses]
    found = metrics.scores(measured)
    save_file(numbers, NUMBERS)
    save_file({"mean": _mean_key(model)}, MEAN)
    HOW.write_text(
        json.dumps(
            {
                "model": "smollm2-135m",
                "layer": DEFAULT_LAYER,
                "facts": [fact.id for fact in chosen],
                "key": "mean over data/prefixes.json of the float64 key, rounded to float32",
                "moment": f"data/moment_smollm2-135m_layer{DEFAULT_LAYER}.safetensors",
                "value": {"settings": asdict(ValueSettings()), "losses": losses},
                "mean_key": (
                    "mean key over data/self_text.safetensors, in mean_key.safetensors, float64"
                ),
                "change": (
                    "left (d_out) times right (d_in) transposed, float64, by"
                    " autograder.oracle.editing"
                ),
                "scores": {kind: score.share for kind, score in found.items()},
            },
            indent=1,
        )
        + "\n",
        encoding="utf-8",
    )
    return NUMBERS


def _mean_key(model):
    text = load_text()
    return (
        sum(keys.double().sum(0) for keys in keys_over(model, DEFAULT_LAYER, text)) / text.numel()
    )


def _chosen(all_facts):
    """The first facts held back, one relation after another, so that the references differ in kind."""
    held = {}
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
