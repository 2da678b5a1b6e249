"""Measurements for data/curves.json: many edits, in-context editing, and edits of other layers.

Shares are of probes, as means over facts; S is their harmonic mean. A spread is the standard
deviation over repetitions with other facts, orders or wordings.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, harmonic_mean, pstdev

import torch
from torch import Tensor

from autograder.making.many import FURTHER_LAYERS, SEED, key_and_value, moment_of
from autograder.oracle import many
from keyhole.editing_many import RIDGE, THRESHOLD, WEIGHT_OF_OLD
from keyhole.hooks import record
from keyhole.incontext import COPY, RETAIN, UPDATE, WORDINGS, context
from keyhole.many import (
    SCORED,
    FactAnswers,
    FactProbes,
    StoredEdits,
    load_edits,
    load_fresh_text,
    perplexity,
)
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.tracing import load_maps

NUMBERS = (1, 5, 10, 20, 40, 80, 107)  # of facts edited together
ORDERS = 5  # of the facts
AT_LEAST = 40  # facts that are measured for each number and order
WEIGHT_OVER_LAYERS, PREFIXES_OVER_LAYERS = 1000.0, 5
WEIGHTS_OF_OLD = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
DEMONSTRATIONS = {
    "the new fact alone": [],
    "copies": [COPY] * 8,
    "copies and updates": [COPY, UPDATE, UPDATE, UPDATE] * 2,
    "copies, updates and retains": [RETAIN, UPDATE, RETAIN, COPY, UPDATE, RETAIN, RETAIN, UPDATE],
}
WHERE = (2, 5, 8, 12, 15, 18, 21, 24, 27)


# ---------------------------------------------------------------- shares


def shares(answers: Iterable[FactAnswers]) -> dict[str, float]:
    """Means over facts by probability and by generation, and S of each."""
    answers, made = list(answers), {}
    for kind in SCORED:
        made[kind] = fmean(_ahead(each.nll[kind], kind) for each in answers)
        made[f"{kind} said"] = fmean(float(each.says[kind].float().mean()) for each in answers)
    return with_scores(made)


def with_scores(values: dict[str, float]) -> dict[str, float]:
    """The same with S of the mean shares, by probability and by generation."""
    return values | {
        f"S{way}": round(harmonic_mean([values[kind + way] for kind in SCORED]), 4)
        for way in ("", " said")
    }


def _ahead(nll, kind):
    true, new = nll
    return float(((true < new) if kind == "neighborhood" else (new < true)).float().mean())


def spread_over(points: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Mean and standard deviation over repetitions: {name: [mean, deviation]}."""
    return {
        name: [round(fmean(values), 4), round(pstdev(values), 4)]
        for name in points[0]
        for values in [[point[name] for point in points]]
    }


# ---------------------------------------------------------------- many edits


@dataclass
class Bench:
    """The model with its stored edits; every measurement puts the weights back."""

    model: EditableModel
    stored: StoredEdits = field(default_factory=load_edits)

    @cached_property
    def weight(self) -> Tensor:
        """W of the edited layer."""
        return self.model.weight(DEFAULT_LAYER).detach().double().clone()

    @cached_property
    def moment(self) -> Tensor:
        """C of that layer."""
        return load_moment().to(self.model.device, torch.float64)

    @cached_property
    def projector(self) -> Tensor:
        """P of that layer."""
        return many.null_space_projector(self.moment.cpu(), THRESHOLD).to(self.weight)

    def probes(self, numbers: Sequence[int], layer: int = DEFAULT_LAYER) -> FactProbes:
        """The probes of the stored facts of those numbers."""
        return FactProbes(self.model, [self.stored.facts[each] for each in numbers], layer)

    def rows(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Their keys and values."""
        chosen = list(numbers)
        return self.stored.keys[chosen].to(self.weight), self.stored.values[chosen].to(self.weight)

    def rome(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        """The change of W by ROME, one fact after the other: {layer: change}."""
        new = many.one_after_the_other(self.weight, self.moment, *self.rows(numbers))
        return {DEFAULT_LAYER: new - self.weight}

    def memit(self, numbers: Sequence[int], weight: float = WEIGHT_OF_OLD) -> dict[int, Tensor]:
        """The change by MEMIT in one layer, all facts at once."""
        new = memit_update(self.weight, self.moment, *self.rows(numbers), weight)
        return {DEFAULT_LAYER: new - self.weight}

    def alphaedit(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        """The change by AlphaEdit, all facts at once."""
        keys, values = self.rows(numbers)
        projected = keys @ self.projector
        small = projected @ projected.T + RIDGE * torch.eye(len(keys)).to(projected)
        residual = values - keys @ self.weight.T
        return {DEFAULT_LAYER: residual.T @ torch.linalg.solve(small, projected)}

    def memit_over_layers(self, numbers: Sequence[int]) -> dict[int, Tensor]:
        """The changes by MEMIT over three layers; keys are taken anew after each."""
        facts = [self.stored.facts[each] for each in numbers]
        layers = (*FURTHER_LAYERS, DEFAULT_LAYER)
        prefixes, changes = load_prefixes()[:PREFIXES_OVER_LAYERS], {}
        outputs, states = self._at_subjects(facts, DEFAULT_LAYER)
        targets = states + self.rows(numbers)[1] - outputs
        with _kept(self.model, layers):
            for layer in layers:
                weight = self.model.weight(layer).detach().double()
                keys = self._keys(facts, layer, prefixes)
                _, states = self._at_subjects(facts, DEFAULT_LAYER)
                share = (targets - states) / (DEFAULT_LAYER - layer + 1)
                new = memit_update(
                    weight, self._moments[layer], keys, keys @ weight.T + share, WEIGHT_OVER_LAYERS
                )
                changes[layer] = new - weight
                with torch.no_grad():
                    self.model.weight(layer).copy_(new)
        return changes

    @cached_property
    def _moments(self):
        layers = (*FURTHER_LAYERS, DEFAULT_LAYER)
        return {
            layer: load_moment(layer=layer).to(self.model.device, torch.float64) for layer in layers
        }

    def _at_subjects(self, facts, layer):
        """What W gives out and the state after the layer, at each subject in its bare prompt."""
        with record(self.model.memory(layer)) as memory, record(self.model.block(layer)) as block:
            places = self._run([fact.prompt for fact in facts], facts, layer)
        return memory.output[places].double(), block.output[places].double()

    def _keys(self, facts, layer, prefixes):
        """The mean key of each fact over the prefixes, all texts in one batch."""
        texts = [prefix + fact.prompt for fact in facts for prefix in prefixes]
        with record(self.model.memory(layer)) as seen:
            places = self._run(texts, [fact for fact in facts for _ in prefixes], layer)
        return seen.input[places].double().view(len(facts), len(prefixes), -1).mean(1)

    def _run(self, texts, facts, layer):
        ids = self.model.encode(texts)
        last = [
            self.model.subject_slice(text, fact.subject).stop - 1
            for text, fact in zip(texts, facts)
        ]
        self.model.run_below(self.model.batch(ids), layer + 1)
        return torch.arange(len(ids)), torch.tensor(last)

    def measured(
        self, changes: dict[int, Tensor], numbers: Sequence[int], text: bool = False
    ) -> dict[str, float]:
        """Shares, the size of the change, and if asked for perplexity, with the changes made."""
        with _kept(self.model, changes):
            for layer, change in changes.items():
                with torch.no_grad():
                    weight = self.model.weight(layer)
                    weight.copy_(weight.double() + change)
            answers = self.probes(numbers, min(changes)).measure()
            read = perplexity(self.model, load_fresh_text()) if text else None
        size = changes[DEFAULT_LAYER].norm() / self.weight.norm()
        made = shares(answers) | {"change": float(size)}
        if len(numbers) >= AT_LEAST:
            half = len(numbers) // 2
            made["S said, edited first"] = shares(answers[:half])["S said"]
            made["S said, edited last"] = shares(answers[half:])["S said"]
        return made | ({} if read is None else {"perplexity": read})


def memit_update(
    weight: Tensor, moment: Tensor, keys: Tensor, values: Tensor, weight_of_old: float
) -> Tensor:
    """The oracle's, on the device where W lies."""
    parts = [part.cpu() for part in (weight, moment, keys, values)]
    return many.memit_update(*parts, weight_of_old).to(weight)


@contextmanager
def _kept(model: EditableModel, layers: Iterable[int]) -> Iterator[None]:
    """Put the weights of these layers back afterwards."""
    kept = {layer: model.weight(layer).detach().clone() for layer in layers}
    try:
        yield
    finally:
        for layer, weight in kept.items():
            with torch.no_grad():
                model.weight(layer).copy_(weight)


def groups(count: int, order: int, facts: int) -> list[list[int]]:
    """Facts by number, shuffled, in as many whole groups of `count` as make AT_LEAST."""
    numbers = list(range(facts))
    if order:
        random.Random(SEED + order).shuffle(numbers)
    starts = range(0, min(max(AT_LEAST, count), facts - count + 1), count)
    return [numbers[start : start + count] for start in starts]


def _mean_of(points):
    return {name: fmean(point[name] for point in points) for name in points[0]}


def curve(
    bench: Bench, editor: Callable[[list[int]], dict[int, Tensor]], progress: Callable = iter
) -> list[dict]:
    """[{edits, values}]: an editor after 1, 5, ... edits, over several orders of the facts."""
    facts = len(bench.stored.facts) - 1  # the last has a key that is there already
    points = []
    for count in progress(NUMBERS):
        repeated = []
        for order in range(ORDERS):
            first, *others = groups(count, order, facts)
            point = bench.measured(editor(first), first, text=True)
            rest = [bench.measured(editor(group), group) for group in others]
            mean = _mean_of(rest) if rest else {}
            weight = len(rest) / (len(rest) + 1)
            repeated.append(
                {
                    name: (1 - weight) * value + weight * mean.get(name, value)
                    for name, value in point.items()
                }
            )
        values = spread_over(repeated)
        for name, score in with_scores({name: mean for name, (mean, _) in values.items()}).items():
            values[name][0] = score  # of the mean shares, and not the mean of small groups' scores
        points.append({"edits": count, "values": values})
    return points


def many_edits(bench: Bench, progress: Callable = iter) -> dict:
    """{editor: its curve}."""
    editors = {
        "ROME, one after the other": bench.rome,
        "MEMIT": bench.memit,
        "MEMIT over layers 3 to 5": bench.memit_over_layers,
        "AlphaEdit": bench.alphaedit,
    }
    return {name: curve(bench, editor, progress) for name, editor in editors.items()}


def unedited(bench: Bench) -> dict[str, float]:
    """The perplexity of the model as it is."""
    return {"perplexity": round(perplexity(bench.model, load_fresh_text()), 4)}


def weights_of_old(bench: Bench, progress: Callable = iter) -> list[dict]:
    """MEMIT of 80 facts with other weights of the old."""
    made = []
    for weight in progress(WEIGHTS_OF_OLD):
        points = [
            bench.measured(bench.memit(group, weight), group, text=True)
            for order in range(ORDERS)
            for group in groups(80, order, len(bench.stored.facts) - 1)
        ]
        made.append({"weight": weight, "values": spread_over(points)})
    return made


def alike(bench: Bench, progress: Callable = iter) -> dict:
    """{relation: {editor: shares}}: all facts of one relation, and as many mixed ones."""
    facts = bench.stored.facts[:-1]
    relations = {
        relation: [i for i, fact in enumerate(facts) if fact.relation == relation]
        for relation in sorted({fact.relation for fact in facts})
    }
    made = {}
    for relation, numbers in progress(relations.items()):
        made[relation] = {
            "ROME": bench.measured(bench.rome(numbers), numbers),
            "MEMIT": bench.measured(bench.memit(numbers), numbers),
        }
    mixed = [
        {
            "ROME": bench.measured(bench.rome(group), group),
            "MEMIT": bench.measured(bench.memit(group), group),
        }
        for group in groups(9, 0, len(facts))
    ]
    made["mixed"] = {name: _mean_of([each[name] for each in mixed]) for name in ("ROME", "MEMIT")}
    return _rounded(made)


# ---------------------------------------------------------------- in context


def in_context(bench: Bench, progress: Callable = iter) -> dict:
    """{demonstrations: {mean and spread over wordings}}, and the points themselves."""
    facts, keys = bench.stored.facts, bench.stored.keys
    made = {}
    for name, kinds in progress(DEMONSTRATIONS.items()):
        points = []
        for wording in range(len(WORDINGS)):
            answers = []
            for number, fact in enumerate(facts):
                others = [i for i in range(len(facts)) if i != number]
                rows = many.demonstrations(keys[number], keys[others], kinds).tolist()
                text = context(fact, [facts[i] for i in others], rows, wording)
                answers += FactProbes(bench.model, [fact], before=text).measure()
            points.append(shares(answers))
        made[name] = {"values": spread_over(points), "wordings": _rounded(points)}
    return made


# ---------------------------------------------------------------- where to edit


def where(bench: Bench, progress: Callable = iter) -> list[dict]:
    """One row a fact and layer: effects of tracing there, and what an edit there does."""
    maps = {(each.prompt, each.kind): each for each in load_maps() if each.corruption == "noise"}
    known = {fact.id: fact for fact in bench.stored.facts if (fact.prompt, "state") in maps}
    facts = [known[each] for each in sorted(known)]
    rows = []
    for layer in progress(WHERE):
        moment = moment_of(bench.model, layer)
        weight = bench.model.weight(layer).detach().double()
        for fact in facts:
            key, value = key_and_value(bench.model, fact, layer)
            key, value = key.to(weight), value.to(weight)
            new = many.one_after_the_other(weight, moment, key[None], value[None])
            probes = FactProbes(bench.model, [fact], layer)
            with bench.model.edited(layer, new - weight):
                [answers] = probes.measure()
            said = -float(answers.nll["original"][1][0])
            rows.append(
                {
                    "layer": layer,
                    "fact": fact.id,
                    "state": _effect(maps[fact.prompt, "state"], layer),
                    "mlp": _effect(maps[fact.prompt, "mlp"], layer),
                    "p_new": float(torch.tensor(said).exp()),
                }
                | {name: value for name, value in shares([answers]).items() if "said" not in name}
            )
    return _rounded(rows)


def _effect(causal_map, layer):
    return float(causal_map.effects[causal_map.span[1] - 1, layer])


def _rounded(value):
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(value, 4) if isinstance(value, float) else value
