"""What the model says of facts that were edited: bars for one fact, and shares over several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from autograder.oracle import metrics
from keyhole.editable import EditableModel
from keyhole.facts import Probe
from keyhole.messages import Remark
from keyhole.probes import PROBE_KINDS, ProbeSet, continuation, score
from lecture.asking import FIRST, Said, top

CONTINUED = 10  # tokens that are shown
NAMES = {"original": "efficacy", "paraphrase": "paraphrase", "neighborhood": "neighborhood"}
Scored = tuple[metrics.ByKind, metrics.GeneratedByKind]


@dataclass(frozen=True)
class Wish:
    """An edit that can be made: what the model says, what it shall say, and how it is asked."""

    prompt: str
    subject: str
    true: str
    target: str
    asked: dict[str, list[Probe]]  # by kind
    remarks: tuple[Remark, ...] = ()
    prefixed: bool = False  # in the place of paraphrases: the same prompt behind other text

    def probes(self) -> dict[str, list[Probe]]:
        """By kind, as Fact.probes() gives them."""
        return self.asked


@dataclass(frozen=True)
class ProbeResult:
    """One probe, by probability and by generation."""

    kind: str
    prompt: str
    target_true: str
    target_new: str
    p_true: float  # the geometric mean over a target's tokens
    p_new: float
    says_true: bool  # the greedy continuation begins with the target
    says_new: bool


@dataclass(frozen=True)
class Bar:
    """All probes of one kind: of PROBE_KINDS, or "prefixed" in the place of "paraphrase"."""

    kind: str
    wanted: str  # "true" for neighbors, which must stay as they were, else "new"
    p_true: float  # means over the probes
    p_new: float
    ahead: float  # the share of probes whose wanted target is the more probable one
    says: float  # the share of probes to which the model says the wanted target
    probes: int


@dataclass(frozen=True)
class Findings:
    """What the model says of one fact."""

    results: tuple[ProbeResult, ...]
    bars: tuple[Bar, ...]  # in the order of PROBE_KINDS
    score: float  # S by probability, in [0, 1]
    score_generated: float
    first: tuple[Said, ...]  # the first three answers to the prompt
    says: str  # the continuation of the prompt


def measure(model: EditableModel, wish: Wish, probes: ProbeSet) -> Findings:
    """What the model as it is now says; `probes` are those of the wish."""
    log_p, said = probes.measure()
    listed = [(kind, probe) for kind, each in wish.probes().items() for probe in each]
    results = tuple(
        ProbeResult(kind, probe.prompt, probe.target_true, probe.target_new, *pair, *says)
        for (kind, probe), pair, says in zip(listed, log_p.exp().tolist(), said.tolist())
    )
    shares = metrics.scores([metrics.by_kind(wish, log_p)])
    generated = metrics.generation_scores([metrics.generated_by_kind(wish, said)])
    bars = []
    for kind in PROBE_KINDS:
        of_kind = [result for result in results if result.kind == kind]
        if of_kind:
            p_true, p_new = (
                fmean(getattr(each, p) for each in of_kind) for p in ("p_true", "p_new")
            )
            wanted = "true" if kind == "neighborhood" else "new"
            share = shares[kind].share, generated[kind].share
            shown = "prefixed" if kind == "paraphrase" and wish.prefixed else kind
            bars.append(Bar(shown, wanted, p_true, p_new, *share, len(of_kind)))
    [distribution] = model.next_token_probabilities([wish.prompt])
    return Findings(
        results,
        tuple(bars),
        metrics.edit_score(shares),
        metrics.edit_score(generated),
        top(model, distribution, FIRST),
        continuation(model, wish.prompt, CONTINUED),
    )


def asked(
    model: EditableModel,
    facts: Sequence[metrics.Probed],
    progress: Callable = iter,
    context: str = "",
) -> list[Scored]:
    """Each fact's probes, by probability and by generation, in the model as it is now.

    `context` is read before every prompt.
    """
    pairs = [
        [
            [(probe.prompt, target) for target in (probe.target_true, probe.target_new)]
            for each in fact.probes().values()
            for probe in each
        ]
        for fact in facts
    ]
    questions = [question for own in pairs for pair in own for question in pair]
    scores = score(model, questions, progress, context)
    made = []
    for fact, own in zip(facts, pairs):
        found = [[scores[question] for question in pair] for pair in own]
        log_p = torch.tensor([[each.log_p for each in pair] for pair in found])
        said = torch.tensor([[each.rank == 1 for each in pair] for pair in found])
        made.append((metrics.by_kind(fact, log_p), metrics.generated_by_kind(fact, said)))
    return made


def shares(scored: Sequence[Scored]) -> dict[str, float]:
    """The means over facts, by the names of lecture/messages' MEASURES."""
    by_probability, by_generation = zip(*scored)
    values = {}
    for ending, of_kinds in (
        ("", metrics.scores(by_probability)),
        ("_generated", metrics.generation_scores(by_generation)),
    ):
        values[f"score{ending}"] = metrics.edit_score(of_kinds)
        values |= {f"{name}{ending}": of_kinds[kind].share for kind, name in NAMES.items()}
    return values
