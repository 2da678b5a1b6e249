"""Make lecture/data/: C of further layers, and what it adds to the curves of data/."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from autograder.oracle import editing
from autograder.oracle.measuring import sequence_nll
from keyhole.editable import EditableModel
from keyhole.facts import load_facts
from keyhole.finetuning import fine_tune
from keyhole.many import load_fresh_text, perplexity
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import (
    DEFAULT_LAYER,
    load_moment,
    load_prefixes,
    load_text,
    made_of,
    save_correlations,
)
from keyhole.values import Rewrite, optimise_value
from lecture.curves import CURVES
from lecture.moments import CARRIED, carried_file, moments_of
from lecture.probing import asked, shares

SEED = 20250617
NUMBERS = (1, 5, 10, 20, 40)  # of edits; 40 sentences in context are 500 tokens
AT_LEAST = 10  # facts that are edited for each number: ten times one, two times five, ...
EDITORS = ("fine-tuning", "rome", "in-context")


def moments(model: EditableModel, progress: Callable = iter) -> Path:
    """lecture/data/moment_*.safetensors: C of the carried layers over the whole stored text."""
    for layer, made in moments_of(model, CARRIED, load_text(), progress).items():
        save_correlations(made.c, carried_file(layer), made_of(model), made.mean)
    return carried_file(CARRIED[-1]).parent


def curves(model: EditableModel, progress: Callable = iter) -> Path:
    """lecture/data/curves.json: what data/curves.json lacks, after 1, 5, 10, ... edits.

    That is fine-tuning on one sentence after the other, sentences in context, and ROME's seconds.
    The file is written anew after each number, so that what was measured stays.
    """
    bench = _Bench(model)
    record = {
        "model": DEFAULT_MODEL,
        "layer": DEFAULT_LAYER,
        "seed": SEED,
        "facts": len(bench.facts),
        "ids": [fact.id for fact in bench.facts],
        "unedited": shares(asked(model, bench.facts[:AT_LEAST]))
        | {"perplexity": perplexity(model, load_fresh_text())},
        "curves": [
            {"editor": editor, "changes_weights": editor != "in-context", "points": []}
            for editor in EDITORS
        ],
    }
    for number in progress(NUMBERS):
        for curve in record["curves"]:
            values = bench.point(curve["editor"], number)
            curve["points"].append({"edits": number, "values": values})
        CURVES.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return CURVES


class _Bench:
    """The model as it was loaded, put back after every group of edits."""

    def __init__(self, model: EditableModel):
        public = [fact for fact in load_facts() if not fact.hidden]
        random.Random(SEED).shuffle(public)
        self.model, self.facts = model, public[: NUMBERS[-1]]
        self._loaded = [weight.detach().clone() for weight in model.hf.parameters()]
        self._moment = load_moment()
        self._found: dict[str, tuple[Tensor, Tensor, float]] = {}  # k*, v* and their seconds

    def point(self, editor: str, number: int) -> dict[str, float]:
        """What is measured after so many edits, of groups of facts that are AT_LEAST in all."""
        starts = range(0, max(AT_LEAST, number), number)
        groups = [self.facts[start : start + number] for start in starts]
        made = [self._edited(editor, facts) for facts in groups]
        answers = [each for group, _ in made for each in group]
        values = shares(answers) if answers else {}
        for name in made[0][1]:
            values[name] = fmean(extra[name] for _, extra in made)
        return {name: round(value, 4) for name, value in values.items()}

    def _edited(self, editor, facts):
        """The facts' scores once they are edited together, and what else is measured then."""
        if editor == "in-context":
            context = " ".join(f"{fact.prompt}{fact.target_new}." for fact in facts)
            return asked(self.model, facts, context=context), {}
        edit = {"fine-tuning": self._tune, "rome": self._rome}[editor]
        if editor == "rome":
            for fact in facts:
                self._find(fact)
        try:
            seconds = sum(map(edit, facts))
            if editor == "rome":
                return [], {"seconds": seconds}
            text = perplexity(self.model, load_fresh_text())
            return asked(self.model, facts), {"perplexity": text, "seconds": seconds}
        finally:
            with torch.no_grad():
                for weight, loaded in zip(self.model.hf.parameters(), self._loaded):
                    weight.copy_(loaded)

    def _tune(self, fact):
        """Fine-tune on one fact; the processor seconds."""
        start = time.process_time()
        fine_tune(self.model, fact.prompt, fact.target_new, sequence_nll)
        return time.process_time() - start

    def _find(self, fact):
        """k* and v* of one fact in the untouched model, once."""
        if fact.id not in self._found:
            start, prefixes = time.process_time(), load_prefixes()
            about = fact.prompt, fact.subject
            key = editing.subject_key(self.model, DEFAULT_LAYER, *about, prefixes)
            rewrite = Rewrite(*about, fact.target_new, prefixes)
            found = optimise_value(self.model, DEFAULT_LAYER, rewrite, editing.value_objective)
            self._found[fact.id] = key, found.value, time.process_time() - start

    def _rome(self, fact):
        """Edit one fact in the model as it is now; the processor seconds, the search's included."""
        key, value, seconds = self._found[fact.id]
        start, weight = time.process_time(), self.model.weight(DEFAULT_LAYER)
        with torch.no_grad():
            weight.copy_(editing.rank_one_update(weight, self._moment, key, value))
        return seconds + time.process_time() - start
