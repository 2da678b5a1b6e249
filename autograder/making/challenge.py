"""Make the challenge's hidden probes and hidden text: what its 40 facts are scored by.

The wordings here stand nowhere in data/facts.json, and students never get them. A paraphrase or a
neighbor is kept only where the unedited model answers as it should.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file

from autograder.hidden.challenge import PROBES_FILE, TEXT_FILE
from autograder.making.many import SEED
from autograder.making.sampling import sample
from keyhole.checking.challenge import FACTS, FACTS_FILE
from keyhole.facts import Fact
from keyhole.many import load_edits
from keyhole.models import EditableModel
from keyhole.paths import data_folder
from keyhole.probes import score

PARAPHRASES, NEIGHBORS = 3, 3  # of each fact, at most
TRIED = 24  # subjects of a relation that may become neighbors
SEQUENCES, SEQUENCE_TOKENS = 5, 129  # of the hidden text

WORDINGS = {
    "birth": (
        "As a child, {subject} lived in the country of",
        "The passport of {subject} was issued by the country of",
        "Schoolbooks say that {subject} was a native of the country of",
        "The native land of {subject} was",
    ),
    "capital": (
        "The parliament of {subject} sits in the city of",
        "The president of {subject} works in the capital city of",
        "On a map of {subject}, a star marks the capital,",
        "The best-known city and capital of {subject} is",
    ),
    "city": (
        "If you live in {subject}, you live in the country of",
        "The streets of {subject} are in the country of",
        "A letter to {subject} must name the country of",
        "Trains that leave {subject} cross the country of",
    ),
    "company": (
        "The logo on the box of {subject} is that of",
        "If you buy {subject}, your money goes to",
        "The engineers who designed {subject} worked for",
        "The trademark of {subject} belongs to",
    ),
    "continent": (
        "If you fly to {subject}, you land on the continent of",
        "The map of {subject} is part of the map of the continent of",
        "The rivers of {subject} flow through the continent of",
        "In an atlas, look for {subject} under the continent of",
    ),
    "currency": (
        "If you travel to {subject}, change your money into the",
        "Workers in {subject} are paid in the local currency, the",
        "Banknotes in {subject} show the name of the currency, the",
        "In the shops of {subject} you pay with the",
    ),
    "field": (
        "The papers of {subject} are about the subject of",
        "The life's work of {subject} was in the field of",
        "The students of {subject} learned about the science of",
        "An encyclopedia lists {subject} under the field of",
    ),
    "landmark": (
        "A postcard of {subject} comes from the city of",
        "The street that leads to {subject} is in the city of",
        "The architects of {subject} built it in the city of",
        "If you stand in front of {subject}, you are in the city of",
    ),
    "language": (
        "Newspapers in {subject} are printed in",
        "A teacher from {subject} most likely speaks",
        "The laws of {subject} are written in",
        "Songs from {subject} are mostly sung in",
    ),
    "place": (
        "A photograph of {subject} was taken in the country of",
        "The weather at {subject} is reported in the country of",
        "Stamps that show {subject} are from the country of",
        "If you visit {subject}, you are in the country of",
    ),
    "state": (
        "If you live in {subject}, your governor is that of the state of",
        "The roads around {subject} run through the state of",
        "A letter to {subject} must name the state of",
        "The voters of {subject} elect the governor of",
    ),
    "symbol": (
        "Chemists write the element {subject} as",
        "A bottle of {subject} bears the chemical symbol",
        "The symbol that stands for {subject} in an equation is",
        "Pupils learn that the symbol of {subject} is",
    ),
}


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """data/challenge.json, and the hidden probes and the hidden text (about 3 minutes).

    What was measured of the baselines is left out: `autograder remake baselines` adds it.
    """
    facts = load_edits().first(FACTS).facts
    public = data_folder() / FACTS_FILE
    _write(public, {"facts": [fact.id for fact in facts]})
    _write(PROBES_FILE, {"facts": hidden_probes(model, facts, progress)})
    generator = torch.Generator().manual_seed(SEED + 2)
    first = torch.randint(model.embedding.num_embeddings, (SEQUENCES, 1), generator=generator)
    ids = sample(model, first, SEQUENCE_TOKENS, generator)
    save_file({"ids": ids.to(torch.uint16)}, TEXT_FILE, metadata={"seed": str(SEED + 2)})
    TEXT_FILE.chmod(0o644)
    return public


def _write(path, record):
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def hidden_probes(
    model: EditableModel, facts: tuple[Fact, ...], progress: Callable = iter
) -> list[dict]:
    """A record for each fact: its id, its hidden paraphrases, its hidden neighbors."""
    own = {
        fact: [_sentence(each, _phrase(fact)) for each in WORDINGS[fact.relation]] for fact in facts
    }
    near = {fact: _near(fact, facts) for fact in facts}
    asked = [
        (text, target)
        for fact, texts in own.items()
        for text in texts
        for target in (fact.target_true, fact.target_new)
    ]
    asked += [pair for subjects in near.values() for pairs in subjects for pair in pairs]
    scores = score(model, asked, progress)
    records = []
    for fact in facts:
        ahead = [
            text
            for text in own[fact]
            if scores[text, fact.target_true].log_p > scores[text, fact.target_new].log_p
        ]
        # One prompt for each subject, whose answer the model says first.
        said = [[pair for pair in pairs if scores[pair].rank == 1][:1] for pairs in near[fact]]
        neighbors = [
            {"prompt": prompt, "answer": answer} for [(prompt, answer)] in filter(None, said)
        ]
        records.append(
            {"id": fact.id, "paraphrases": ahead[:PARAPHRASES], "neighbors": neighbors[:NEIGHBORS]}
        )
    return records


def _near(fact, facts):
    """For other subjects of the relation, (prompt, answer) in each hidden wording.

    None is about a subject that the challenge edits, nor about one of a public neighbor.
    """
    relation = _candidates()[fact.relation]
    taken = [each.subject for each in facts if each.relation == fact.relation]
    public = " ".join(prompt for prompt, _ in fact.neighbors)
    new, also = fact.target_new, relation.get("also_true", {})
    fellows = []
    for answer, phrases in relation["answers"].items():
        for phrase in phrases:
            subject = phrase.removeprefix("the ")
            edited = any(subject in each or each in subject for each in taken)
            told = f" {answer}" == new or new.strip() in also.get(phrase, ())
            if not (edited or told or subject in public or answer in subject):
                fellows.append((phrase, f" {answer}"))
    fellows.sort(key=lambda fellow: _order(fact.id, fellow[0]))
    return [
        [
            (_sentence(wording, phrase), answer)
            for wording in sorted(WORDINGS[fact.relation], key=lambda each: _order(phrase, each))
        ]
        for phrase, answer in fellows[:TRIED]
    ]


def _phrase(fact):
    """The subject as it is written inside a sentence: "the Louvre"."""
    answers = _candidates()[fact.relation]["answers"].values()
    phrases = [phrase for each in answers for phrase in each]
    return next(each for each in phrases if each.removeprefix("the ") == fact.subject)


@cache
def _candidates():
    source = data_folder() / "fact_candidates.json"
    return json.loads(source.read_text(encoding="utf-8"))["relations"]


def _sentence(template, phrase):
    """The template filled in, with a capital letter first: it may begin with "the Louvre"."""
    text = template.format(subject=phrase)
    return text[0].upper() + text[1:]


def _order(*names):
    """A key to sort by that mixes names thoroughly, and the same on every machine."""
    return hashlib.sha256("|".join(names).encode()).digest()
