"""Many facts: their probes, in context too, and MEMIT's update, each beside the plain way."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from autograder.gradebook.config import REPOSITORY
from bench.row import Row, timed
from keyhole.checking.functions import functions_of
from keyhole.incontext import COPY, RETAIN, UPDATE, context
from keyhole.many import SCORED, FactProbes, load_edits
from keyhole.models import EditableModel, load_model
from keyhole.moments import DEFAULT_LAYER, load_moment
from keyhole.probes import ProbeSet

FACTS = 80
KINDS = (RETAIN, UPDATE, RETAIN, COPY, UPDATE, RETAIN, RETAIN, UPDATE)
SOLUTION = REPOSITORY / "solutions" / "model_editing" / "4_scale.ipynb"


def one_by_one(model: EditableModel, before: str, layer: int, facts: list) -> torch.Tensor:
    """The log probabilities of each fact by itself, where each prompt reads all that is before."""
    measured = []
    for fact in facts:
        probes = [
            replace(probe, prompt=before + probe.prompt)
            for kind in SCORED
            for probe in fact.probes()[kind]
        ]
        measured.append(ProbeSet(model, {"all": probes}, layer).measure()[0])
    return torch.cat(measured)


def together(model: EditableModel, before: str, layer: int, facts: list) -> torch.Tensor:
    """The same by FactProbes."""
    answers = FactProbes(model, facts, layer, before).measure()
    return -torch.cat([torch.stack(each.nll[kind], dim=1) for each in answers for kind in SCORED])


def rows() -> Iterator[Row]:
    model, stored, moment = load_model(), load_edits().first(FACTS), load_moment()
    facts, weight = list(stored.facts), model.weight(DEFAULT_LAYER).detach().clone()
    update = functions_of(SOLUTION, ["memit_update"])["memit_update"]
    given = weight, moment, stored.keys, stored.values, 300.0
    update(*given)
    new, seconds = timed(lambda: update(*given))
    _, baseline = timed(lambda: torch.linalg.inv(300.0 * moment.double()))
    yield Row(
        f"memit_update of {FACTS} facts (baseline: one inverse of C)",
        *(seconds, baseline, "at most 0.2 s"),
    )

    def before_and_after() -> torch.Tensor:
        probes = FactProbes(model, facts, DEFAULT_LAYER)
        probes.measure()
        with model.edited(DEFAULT_LAYER, (new - weight).float()):
            return probes.measure()

    _, seconds = timed(before_and_after)
    alone, baseline = timed(lambda: one_by_one(model, "", DEFAULT_LAYER, facts))
    some = together(model, "", DEFAULT_LAYER, facts[:8])
    off = (some - alone[: len(some)]).abs().max()
    yield Row(
        f"probes of {FACTS} facts, before and after (baseline: each fact by itself, twice)",
        *(seconds, 2 * baseline, "at most 40 s"),
        (f"largest difference {float(off):.0e}",),
    )
    told = context(facts[0], facts[1:], list(enumerate(KINDS)))
    asked = model, told, 0, facts[:1]
    once, seconds = timed(lambda: together(*asked))
    again, baseline = timed(lambda: one_by_one(*asked))
    yield Row(
        "one fact's probes after eight demonstrations (baseline: read with every prompt)",
        *(seconds, baseline, "a third of the baseline"),
        (f"largest difference {float((once - again).abs().max()):.0e}",),
    )
