"""Many facts at once: their stored keys and values, their probes, and stored measurements.

`autograder remake edits` and `autograder remake curves` make the stored files.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.fact_files import Record
from keyhole.facts import Fact, load_facts
from keyhole.messages import problem
from keyhole.paths import data_folder
from keyhole.probes import ProbeSet
from keyhole.text import one_line

SCORED = ("original", "paraphrase", "neighborhood")  # the probes that S is made of
ROWS_AT_ONCE = 4  # of a text: their logits are 126 MB


@dataclass(frozen=True)
class StoredEdits:
    """k* and v* of facts in the default model's default layer, in the order of `facts`."""

    facts: tuple[Fact, ...]
    keys: torch.Tensor  # (N, d_in), float32: means over the stored prefixes
    values: torch.Tensor  # (N, d_out), float32: what W should give out for the key

    def first(self, count: int) -> "StoredEdits":
        """The first `count` of them."""
        return StoredEdits(self.facts[:count], self.keys[:count], self.values[:count])


def load_edits() -> StoredEdits:
    """The stored k* and v* of all public facts, in a shuffled order that is always the same.

    The last fact has the key of an earlier one. Raises KeyholeError where the file is damaged.
    """
    path = data_folder() / "edits.safetensors"
    try:
        with safe_open(path, "pt") as file:
            ids = json.loads(file.metadata()["facts"])
            keys, values = file.get_tensor("keys"), file.get_tensor("values")
        known = {fact.id: fact for fact in load_facts()}
        return StoredEdits(tuple(known[each] for each in ids), keys.float(), values.float())
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=path, error=one_line(error, 120))
        ) from None


def load_curves() -> dict:
    """Stored measurements of many edits and of other editors: what docs/results.md shows.

    Raises KeyholeError where the file is damaged.
    """
    path = data_folder() / "curves.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=path, error=one_line(error, 120))
        ) from None


def load_fresh_text() -> torch.Tensor:
    """Text that the default model said, and that C was not made of: ids (sequences, tokens)."""
    path = data_folder() / "fresh_text.safetensors"
    try:
        return load_file(path)["ids"].long()
    except (OSError, KeyError, SafetensorError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=path, error=one_line(error, 120))
        ) from None


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True)
class FactAnswers:
    """What the model says to the probes of one fact, by kind of probe (those that S is made of)."""

    fact: Fact | Record
    nll: dict[str, tuple[torch.Tensor, torch.Tensor]]  # of the true and the new target, each (n,)
    says: dict[str, torch.Tensor]  # (n,) bool: does it say what it should?


class FactProbes:
    """The probes of many facts, run once through the layers below `layer`.

    They are measured after each change. What is below `layer` stays as it was when this was made.
    `before` stands before every prompt, for editing in context: no weight may change after it.
    """

    def __init__(
        self, model: EditableModel, facts: Sequence[Fact | Record], layer: int = 0, before: str = ""
    ):
        self._facts = tuple(facts)
        probes = [probe for fact in self._facts for kind in SCORED for probe in fact.probes()[kind]]
        self._set = ProbeSet(model, {"all": probes}, layer, before)

    def measure(self) -> list[FactAnswers]:
        """An answer for each fact, of the model as it is now."""
        log_p, says = self._set.measure()
        answers, start = [], 0
        for fact in self._facts:
            nll, said = {}, {}
            for kind in SCORED:
                rows = slice(start, start + len(fact.probes()[kind]))
                true, new = -log_p[rows].T
                nll[kind] = true, new
                said[kind] = says[rows, 0 if kind == "neighborhood" else 1]
                start = rows.stop
            answers.append(FactAnswers(fact, nll, said))
        return answers


@torch.no_grad()
def perplexity(model: EditableModel, ids: torch.Tensor) -> float:
    """exp of the mean NLL of each token after those before it; ids (sequences, tokens)."""
    total = 0.0
    for rows in ids.split(ROWS_AT_ONCE):
        rows = rows.to(model.device)
        states = model.hf.base_model(rows, use_cache=False).last_hidden_state
        log_p = model.head(states[:, :-1]).log_softmax(-1)
        total -= log_p.gather(-1, rows[:, 1:, None]).double().sum().item()
    return float(torch.tensor(total / (ids.shape[0] * (ids.shape[1] - 1))).exp())
