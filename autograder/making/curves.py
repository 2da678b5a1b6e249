"""Make data/curves.json, all measurements that 4_scale.ipynb and docs/results.md show."""

import json
from collections.abc import Callable
from pathlib import Path

from autograder.making import many_curves, many_tuning
from autograder.making.many import SEED
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.moments import DEFAULT_LAYER
from keyhole.paths import data_folder

PARTS: dict[str, Callable] = {
    "many edits": many_curves.many_edits,
    "weight of the old": many_curves.weights_of_old,
    "alike": many_curves.alike,
    "in context": many_curves.in_context,
    "fine-tuning": many_tuning.tuning,
    "where": many_curves.where,
}


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """data/curves.json, written anew after each part. Takes about four hours."""
    bench = many_curves.Bench(model)
    record: dict = {
        "model": DEFAULT_MODEL,
        "layer": DEFAULT_LAYER,
        "seed": SEED,
        "facts": [fact.id for fact in bench.stored.facts],
        "unedited": many_curves.unedited(bench),
    }
    path = data_folder() / "curves.json"
    for name, part in PARTS.items():
        record[name] = part(bench, progress)
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path
