"""What a model is asked about one fact, before and after an edit."""

from collections import Counter
from dataclasses import replace

from keyhole.facts import Fact, Probe, load_facts
from keyhole.messages import Remark, feedback
from keyhole.models import EditableModel
from keyhole.probes import Answer
from keyhole.text import one_line

AMONG_FIRST = 5  # a true answer is known when it is one of so many first answers
PARAPHRASES, NEIGHBORS = 3, 5  # probes made for a fact that is not one of the kit's


def known_fact(prompt: str, subject: str) -> Fact | None:
    """The kit's own fact with this prompt and subject (but for an article), or None."""
    for fact in load_facts():
        if fact.prompt == prompt and (
            fact.subject.endswith(subject) or subject.endswith(fact.subject)
        ):
            return fact
    return None


def probes_of(fact: Fact, target: str, true: str) -> dict[str, list[Probe]]:
    """Probes of one of the kit's facts for another target, by kind.

    Only the fact's own target has probes of reversion and portability. Neighbors whose answer is
    the target are left out, since the edit cannot harm them.
    """
    neighbors = tuple(
        (prompt, answer) for prompt, answer in fact.neighbors if answer.strip() != target.strip()
    )
    probes = replace(fact, target_new=target, target_true=true, neighbors=neighbors).probes()
    return {
        kind: probes[kind]
        for kind in probes
        if target == fact.target_new or kind in ("original", "paraphrase", "neighborhood")
    }


def simple_probes(prompt: str, subject: str, target: str, true: str) -> dict[str, list[Probe]]:
    """Probes for a fact of somebody's own, made from its prompt alone, by kind.

    Paraphrases: another fact is said before the prompt. Neighbors: prompts of the kit's facts,
    first those in the same words or with the same true answer, which an edit harms soonest, then
    one relation after the other.
    """
    others = [
        fact
        for fact in load_facts()
        if not fact.hidden
        and fact.subject not in prompt
        and fact.target_true.strip() != target.strip()
    ]
    frame, seen, place = prompt.replace(subject, ""), Counter(), {}
    for fact in others:
        near = fact.prompt.replace(fact.subject, "") == frame or fact.target_true == true
        place[fact.id] = (not near, seen[fact.relation])
        seen[fact.relation] += 1
    others.sort(key=lambda fact: place[fact.id])
    return {
        "original": [Probe(prompt, true, target)],
        # Not the kit's prefixes: k* and v* were made behind those.
        "paraphrase": [
            Probe(f"{fact.prompt}{fact.target_true}. {prompt}", true, target)
            for fact in others[:PARAPHRASES]
        ],
        "neighborhood": [
            Probe(fact.prompt, fact.target_true, target) for fact in others[:NEIGHBORS]
        ],
    }


def unknown(model: EditableModel, prompt: str, original: Answer) -> Remark | None:
    """Why the model does not know the true answer to `prompt`; None where it does.

    It knows it when that is among its first answers, and ahead of the new one. original: the answer
    to the prompt itself, before any edit.
    """
    probabilities = model.next_token_probabilities([prompt])[0]
    first = model.encode_targets([original.probe.target_true])[0][0]
    place = int((probabilities > probabilities[first]).sum()) + 1
    if place > AMONG_FIRST:
        says = one_line(model.tokenizer.decode([int(probabilities.argmax())]), 40)
        of_place = {"place": place, "says": says, "among": AMONG_FIRST}
        return feedback("own_unknown", **of_place, **told(original))
    return None if original.true > original.new else feedback("own_behind", **told(original))


def told(answer: Answer) -> dict[str, str]:
    """What remarks tell of an answer to a probe."""
    return {
        "true": one_line(answer.probe.target_true, 40),
        "p_true": f"{answer.true:.3f}",
        "new": one_line(answer.probe.target_new, 40),
        "p_new": f"{answer.new:.3f}",
    }


def first_answers(model: EditableModel, prompt: str, count: int = 3) -> list[tuple[str, float]]:
    """The most probable next tokens after `prompt`, as (text, probability)."""
    values, tokens = model.next_token_probabilities([prompt])[0].topk(count)
    return [
        (model.tokenizer.decode([token]), value)
        for value, token in zip(values.tolist(), tokens.tolist())
    ]
