"""How good an edit is, by probability: the scores of the ROME paper (section 3.4, CounterFact), and two further probes."""

import math
from dataclasses import dataclass
from statistics import fmean, harmonic_mean

from keyhole.probes import KINDS


@dataclass(frozen=True)
class Score:
    """`share` in [0, 1] of probes that went as they should, mean over facts; `magnitude` the mean probability difference."""

    share: float
    magnitude: float
    probes: int


def by_kind(fact, log_probabilities):
    """One edit's probes: {kind: [(went well, probability difference)]} from log probabilities (probes, 2), true and new.

    On a neighbor the true answer has to stay ahead, elsewhere the new one has to win; a tie is a failure.
    """
    found = {kind: [] for kind in KINDS}
    kinds = [kind for kind, probes in fact.probes().items() for _ in probes]
    for kind, (true, new) in zip(kinds, log_probabilities.double().tolist(), strict=True):
        ahead = (true - new) if kind == "neighborhood" else (new - true)
        difference = math.exp(true) - math.exp(new)
        found[kind].append((ahead > 0, difference if kind == "neighborhood" else -difference))
    return found


def scores(edits):
    """Mean over edits (a list of what by_kind gives) of each edit's share: {kind: Score}."""
    return {kind: Score(share=fmean(fmean(well for well, _ in edit[kind]) for edit in edits),
                        magnitude=fmean(fmean(difference for _, difference in edit[kind]) for edit in edits),
                        probes=sum(len(edit[kind]) for edit in edits))
            for kind in KINDS}


def edit_score(found):
    """S, the harmonic mean of efficacy, paraphrase and neighborhood shares; 0 if any is 0."""
    return harmonic_mean([found[kind].share for kind in ("original", "paraphrase", "neighborhood")])
