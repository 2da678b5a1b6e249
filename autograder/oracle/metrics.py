"""How good an edit is: the scores of the ROME paper (3.4, CounterFact), and two further probes.

There are two ways to score. They have a type each, so that nothing can mix them:

- by probability: which of the two targets is ahead;
- by generation: whether the greedy continuation begins with the target.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean, harmonic_mean
from typing import Protocol

from torch import Tensor

from keyhole.facts import Probe
from keyhole.probes import PROBE_KINDS

ByKind = dict[str, list[tuple[bool, float]]]  # {kind: [(went well, probability difference)]}
GeneratedByKind = dict[str, list[bool]]  # {kind: [went well]}
SCORED = ("original", "paraphrase", "neighborhood")  # what S is made of


class Probed(Protocol):
    """Anything that has probes, by kind, as a Fact has."""

    def probes(self) -> dict[str, list[Probe]]: ...


@dataclass(frozen=True)
class ProbabilityScore:
    """By probability, means over facts.

    `share` in [0, 1] is that of the probes that went as they should, and `magnitude` the
    probability difference.
    """

    share: float
    magnitude: float
    probes: int


@dataclass(frozen=True)
class GenerationScore:
    """By generation: the `share` in [0, 1] of continuations that begin as they should."""

    share: float
    probes: int


def by_kind(fact: Probed, log_probabilities: Tensor) -> ByKind:
    """One edit's probes, from log probabilities (probes, 2) of the true and the new target.

    On a neighbor the true answer has to stay ahead, elsewhere the new one has to win. A tie is a
    failure. A probe without a rival cannot be scored so, and is left out; some files have such.
    """
    scored: ByKind = {kind: [] for kind in PROBE_KINDS}
    rows = log_probabilities.double().tolist()
    for (kind, probe), (true, new) in zip(_listed(fact), rows, strict=True):
        if probe.target_true is None or probe.target_new is None:
            continue
        ahead = (true - new) if kind == "neighborhood" else (new - true)
        difference = math.exp(true) - math.exp(new)
        scored[kind].append((ahead > 0, difference if kind == "neighborhood" else -difference))
    return scored


def generated_by_kind(fact: Probed, generated: Tensor) -> GeneratedByKind:
    """One edit's probes, from bools (probes, 2): does the model say the true, the new target?

    On a neighbor it has to say the neighbor's own true answer, elsewhere the new one.
    """
    scored: GeneratedByKind = {kind: [] for kind in PROBE_KINDS}
    for (kind, probe), (true, new) in zip(_listed(fact), generated.tolist(), strict=True):
        at_neighbor = kind == "neighborhood"
        wanted, said = (probe.target_true, true) if at_neighbor else (probe.target_new, new)
        if wanted is not None:
            scored[kind].append(said)
    return scored


def _listed(fact: Probed) -> list[tuple[str, Probe]]:
    return [(kind, probe) for kind, probes in fact.probes().items() for probe in probes]


def scores(edits: list[ByKind]) -> dict[str, ProbabilityScore]:
    """{kind: the mean over edits of each edit's share}; a kind that no edit has is left out."""
    return {
        kind: ProbabilityScore(
            share=fmean(fmean(well for well, _ in edit[kind]) for edit in asked),
            magnitude=fmean(fmean(difference for _, difference in edit[kind]) for edit in asked),
            probes=sum(len(edit[kind]) for edit in asked),
        )
        for kind, asked in _asked(edits)
    }


def generation_scores(edits: list[GeneratedByKind]) -> dict[str, GenerationScore]:
    """The same by generation."""
    return {
        kind: GenerationScore(
            share=fmean(fmean(edit[kind]) for edit in asked),
            probes=sum(len(edit[kind]) for edit in asked),
        )
        for kind, asked in _asked(edits)
    }


def _asked(edits: list[dict[str, list]]) -> Iterator[tuple[str, list[dict[str, list]]]]:
    """Of each kind the edits that have probes of it."""
    for kind in PROBE_KINDS:
        asked = [edit for edit in edits if edit[kind]]
        if asked:
            yield kind, asked


def edit_score(scores: dict[str, ProbabilityScore] | dict[str, GenerationScore]) -> float:
    """S, the harmonic mean of efficacy, paraphrase and neighborhood shares; 0 if any is 0.

    Raises TypeError where scores by probability and by generation are mixed.
    """
    parts = [scores[kind] for kind in SCORED]
    if len({type(part) for part in parts}) > 1:
        raise TypeError("scores by probability and by generation are never mixed.")
    return harmonic_mean([part.share for part in parts])
