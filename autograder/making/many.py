"""Make what 4_scale.ipynb is given: k* and v* of the public facts, C of two layers, fresh text."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from autograder.making.sampling import sample
from autograder.oracle import editing
from keyhole.editing_many import SAME_KEY
from keyhole.facts import Fact, load_facts
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.moments import (
    DEFAULT_LAYER,
    keys_over,
    load_prefixes,
    load_text,
    made_of,
    save_correlations,
)
from keyhole.paths import data_folder
from keyhole.values import Rewrite, optimise_value

SEED = 20250617
FURTHER_LAYERS = (3, 4)  # MEMIT edits these too
SEQUENCES, SEQUENCE_TOKENS = 16, 161  # of the fresh text


def edits(model: EditableModel, progress: Callable = iter) -> Path:
    """data/edits.safetensors: k* and v* of every public fact, in a shuffled order.

    A fact whose key an earlier one has goes to the end. Takes about 20 minutes.
    """
    facts = [fact for fact in load_facts() if not fact.hidden]
    random.Random(SEED).shuffle(facts)
    pairs = [key_and_value(model, fact, DEFAULT_LAYER) for fact in progress(facts)]
    order = _with_twins_last([key for key, _ in pairs])
    path = data_folder() / "edits.safetensors"
    numbers = {
        name: torch.stack([pairs[number][part] for number in order]).float().cpu().contiguous()
        for part, name in enumerate(("keys", "values"))
    }
    ids = [facts[number].id for number in order]
    save_file(numbers, path, metadata={"facts": json.dumps(ids), "seed": str(SEED)})
    path.chmod(0o644)
    return path


def key_and_value(model: EditableModel, fact: Fact, layer: int) -> tuple[Tensor, Tensor]:
    """k* (d_in,) and v* (d_out,) of a fact in a layer, with the stored prefixes."""
    about, prefixes = (fact.prompt, fact.subject), load_prefixes()
    key = editing.subject_key(model, layer, *about, prefixes)
    rewrite = Rewrite(*about, fact.target_new, prefixes)
    found = optimise_value(model, layer, rewrite, editing.value_objective)
    return key, found.value


def _with_twins_last(keys):
    """The numbers of all keys; those that are as good as the same as an earlier one come last."""
    unit = torch.stack([key / key.norm() for key in keys])
    alike = (unit @ unit.T).tril(diagonal=-1).amax(1) > SAME_KEY
    return sorted(range(len(keys)), key=lambda number: bool(alike[number]))


def moments(model: EditableModel, progress: Callable = iter) -> Path:
    """data/moment_*_layer{3,4}.safetensors: C of further layers over the whole stored text."""
    of, folder = made_of(model), data_folder()
    for layer in progress(FURTHER_LAYERS):
        path = folder / f"moment_{DEFAULT_MODEL}_layer{layer}.safetensors"
        save_correlations(moment_of(model, layer).cpu(), path, of)
    return folder


def moment_of(model: EditableModel, layer: int) -> Tensor:
    """C of a layer, the mean over the tokens of the stored text: (d_in, d_in), float64."""
    total, ids = 0, load_text()
    for keys in keys_over(model, layer, ids):
        total = total + editing.second_moment(keys) * len(keys)
    return total / ids.numel()


def fresh_text(model: EditableModel) -> Path:
    """data/fresh_text.safetensors: what the model says with another seed than C's text."""
    generator = torch.Generator().manual_seed(SEED + 1)
    first = torch.randint(model.embedding.num_embeddings, (SEQUENCES, 1), generator=generator)
    ids = sample(model, first, SEQUENCE_TOKENS, generator)
    path = data_folder() / "fresh_text.safetensors"
    save_file({"ids": ids.to(torch.uint16)}, path, metadata={"seed": str(SEED + 1)})
    path.chmod(0o644)
    return path
