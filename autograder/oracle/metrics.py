"""How good an edit is: the scores of the ROME paper (section 3.4, CounterFact), and two further probes.

By probability (which of the two targets is ahead) and by generation (does the greedy continuation begin with the target). The two are of
two types, so that nothing can mix them.
"""

import math
from dataclasses import dataclass
from statistics import fmean, harmonic_mean

from keyhole.probes import PROBE_KINDS

SCORED = ("original", "paraphrase", "neighborhood")  # what S is made of


@dataclass(frozen=True)
class Score:
    """By probability: `share` in [0, 1] of probes that went as they should, mean over facts; `magnitude` the mean probability difference."""

    share: float
    magnitude: float
    probes: int


@dataclass(frozen=True)
class GenerationScore:
    """By generation: `share` in [0, 1] of probes whose continuation begins as it should, mean over facts."""

    share: float
    probes: int


def by_kind(fact, log_probabilities):
    """One edit's probes: {kind: [(went well, probability difference)]} from log probabilities (probes, 2), true and new.

    On a neighbor the true answer has to stay ahead, elsewhere the new one has to win; a tie is a failure. A probe without a rival
    (some files have such) cannot be scored so, and is left out.
    """
    found = {kind: [] for kind in PROBE_KINDS}
    for (kind, probe), (true, new) in zip(
        _listed(fact), log_probabilities.double().tolist(), strict=True
    ):
        if probe.target_true is None or probe.target_new is None:
            continue
        ahead = (true - new) if kind == "neighborhood" else (new - true)
        difference = math.exp(true) - math.exp(new)
        found[kind].append((ahead > 0, difference if kind == "neighborhood" else -difference))
    return found


def generated_by_kind(fact, generated):
    """One edit's probes by generation: {kind: [went well]} from (probes, 2) bool: is the true, is the new target what the model says?

    On a neighbor that has to be its own true answer, elsewhere the new one.
    """
    found = {kind: [] for kind in PROBE_KINDS}
    for (kind, probe), (true, new) in zip(_listed(fact), generated.tolist(), strict=True):
        wanted, said = (
            (probe.target_true, true) if kind == "neighborhood" else (probe.target_new, new)
        )
        if wanted is not None:
            found[kind].append(said)
    return found


def _listed(fact):
    return [(kind, probe) for kind, probes in fact.probes().items() for probe in probes]


def scores(edits):
    """Mean over edits (a list of what by_kind gives) of each edit's share: {kind: Score}. A kind that no edit has is left out."""
    return {
        kind: Score(
            share=fmean(fmean(well for well, _ in edit[kind]) for edit in asked),
            magnitude=fmean(fmean(difference for _, difference in edit[kind]) for edit in asked),
            probes=sum(len(edit[kind]) for edit in asked),
        )
        for kind, asked in _asked(edits)
    }


def generation_scores(edits):
    """The same by generation, of a list of what generated_by_kind gives: {kind: GenerationScore}."""
    return {
        kind: GenerationScore(
            share=fmean(fmean(edit[kind]) for edit in asked),
            probes=sum(len(edit[kind]) for edit in asked),
        )
        for kind, asked in _asked(edits)
    }


def _asked(edits):
    """Of each kind the edits that have probes of it."""
    for kind in PROBE_KINDS:
        asked = [edit for edit in edits if edit[kind]]
        if asked:
            yield kind, asked


def edit_score(found):
    """S, the harmonic mean of efficacy, paraphrase and neighborhood shares; 0 if any is 0.

    Raises TypeError for scores by probability and by generation in one.
    """
    parts = [found[kind] for kind in SCORED]
    if len({type(part) for part in parts}) > 1:
        raise TypeError("scores by probability and by generation are never mixed.")
    return harmonic_mean([part.share for part in parts])
