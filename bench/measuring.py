"""Measuring without any edit: every probe of every fact, and what the model goes on to say."""

from collections.abc import Iterator

from bench.row import Row, timed
from keyhole.facts import load_facts
from keyhole.models import load_model
from keyhole.probes import continuation, continuations, score


def rows() -> Iterator[Row]:
    model, facts = load_model(), load_facts()
    asked = [
        (probe.prompt, target)
        for fact in facts
        for probes in fact.probes().values()
        for probe in probes
        for target in (probe.target_true, probe.target_new)
    ]
    prompts = [fact.prompt for fact in facts[:14]]
    model.next_token_probabilities(prompts[:1])
    _, seconds = timed(lambda: score(model, asked))
    yield Row(
        f"probabilities of all {len(facts)} facts' probes, unedited",
        seconds,
        target="at most 60 s",
        notes=(f"{len(set(asked)):,} prompts with a target",),
    )
    _, seconds = timed(lambda: continuations(model, prompts))
    _, one_by_one = timed(lambda: [continuation(model, prompt) for prompt in prompts])
    yield Row("14 continuations of 8 tokens (baseline: one by one)", seconds, one_by_one)
