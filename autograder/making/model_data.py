"""Make prefixes, text, second moment and maps of data/, each from the model and a stored seed."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file

from autograder.making.sampling import sample
from autograder.oracle import editing, tracing
from keyhole.facts import load_facts
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.moments import DEFAULT_LAYER, load_text, moment_over, save_moment
from keyhole.paths import data_folder
from keyhole.tracing import MAP_KINDS, save_maps, subject_noise

SEED = 20250617
STARTERS = ("The", "Therefore", "Because", "I", "You")  # as the authors of MEMIT begin theirs
PREFIX_TOKENS = (5, 10)
PREFIXES_EACH = 10
PREFIX_TOP_P = 0.9
# The prompts of the stored maps: some that are known from the papers, and of each relation the
# first two facts that the model is sure of.
FAMOUS = (
    ("The Eiffel Tower is located in the city of", "Eiffel Tower"),
    ("The Colosseum is located in the city of", "Colosseum"),
    ("The Taj Mahal is located in the country of", "Taj Mahal"),
)
FACTS_EACH, SURE = 2, 0.4
SEQUENCES, SEQUENCE_TOKENS, ROWS_AT_ONCE = 640, 161, 128


def prefixes(model: EditableModel, progress: Callable = iter) -> Path:
    """data/prefixes.json: the empty prefix, then 10 of 5 and 10 of 10 tokens, sampled."""
    generator = torch.Generator().manual_seed(SEED)
    texts = [""]
    for tokens in PREFIX_TOKENS:
        rows = [starter for starter in STARTERS for _ in range(PREFIXES_EACH // len(STARTERS))]
        # A line break before it: the first token of a text only parks attention, and what follows
        # it reads oddly.
        first = torch.tensor(model.encode(["\n" + starter for starter in rows]))
        for ids in sample(model, first, 1 + tokens, generator, PREFIX_TOP_P, progress):
            # One line, and a full stop, so that the prompt begins a sentence of its own.
            texts.append(" ".join(model.tokenizer.decode(ids).split()) + ". ")
    record = {
        "model": DEFAULT_MODEL,
        "seed": SEED,
        "starters": STARTERS,
        "tokens": PREFIX_TOKENS,
        "prefixes": texts,
    }
    path = data_folder() / "prefixes.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def text(model: EditableModel, progress: Callable = iter) -> Path:
    """data/self_text.safetensors: 640 sequences of 161 tokens that the model says when left alone.

    Takes about 9 minutes.
    """
    generator = torch.Generator().manual_seed(SEED)
    pieces = []
    for _ in range(SEQUENCES // ROWS_AT_ONCE):
        first = torch.randint(
            model.embedding.num_embeddings, (ROWS_AT_ONCE, 1), generator=generator
        )
        pieces.append(sample(model, first, SEQUENCE_TOKENS, generator, progress=progress))
    path = data_folder() / "self_text.safetensors"
    how = {
        "model": DEFAULT_MODEL,
        "seed": str(SEED),
        "temperature": "1",
        "top_p": "0.98",
        "first token": "drawn evenly",
    }
    save_file({"ids": torch.cat(pieces).to(torch.uint16)}, path, metadata=how)
    return path


def moment(model: EditableModel, progress: Callable = iter) -> Path:
    """data/moment_smollm2-135m_layer5.safetensors: C of the default layer over the stored text."""
    ids = load_text()
    total = moment_over(model, DEFAULT_LAYER, ids, editing.second_moment, progress)
    pieces = len(list(ids.split(16)))
    path = data_folder() / f"moment_{DEFAULT_MODEL}_layer{DEFAULT_LAYER}.safetensors"
    save_moment(total / pieces, path)
    return path


def maps(model: EditableModel, progress: Callable = iter) -> Path:
    """data/maps.{json,safetensors}: causal maps of famous prompts and of two facts a relation.

    Of states, MLP windows and attention windows under noise, and of states under zero vectors
    (about 20 minutes). Facts whose subject is one token are passed over, and those that the model
    answers with a probability under 0.4.
    """
    asked = [("famous", prompt, subject) for prompt, subject in FAMOUS]
    public = [fact for fact in load_facts() if not fact.hidden]
    for relation in dict.fromkeys(fact.relation for fact in public):
        asked += [
            (relation, fact.prompt, fact.subject)
            for fact in public
            if fact.relation == relation and _worth_tracing(model, fact)
        ][:FACTS_EACH]
    made = []
    for relation, prompt, subject in progress(asked):
        sweep = tracing.Sweep(model, prompt, subject, subject_noise(model, prompt, subject))
        made += [
            tracing.causal_map(model, prompt, subject, kind, sweep=sweep, relation=relation)
            for kind in MAP_KINDS
        ]
        made.append(
            tracing.causal_map(model, prompt, subject, corruption="zero", relation=relation)
        )
    path = data_folder() / "maps.json"
    save_maps(made, path)
    return path


def _worth_tracing(model, fact):
    span = model.subject_slice(fact.prompt, fact.subject)
    return (
        span.stop - span.start > 1
        and float(model.next_token_probabilities([fact.prompt])[0].max()) >= SURE
    )
