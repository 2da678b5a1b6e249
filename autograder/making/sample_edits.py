"""What the sample class hands in beside the notebook: its members' own facts, and their edits.

They were made once on the real model, and are kept in sample/. my_facts.json holds each member's
fact and what was measured; my_edits.safetensors holds the factors of the change, and v*.
"""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save, save_file

from autograder.hidden.challenge import REFERENCE
from autograder.oracle import editing
from keyhole.checking.own_fact import EDIT_FILE, FACT_FILE, OwnFact, measure
from keyhole.checking.selfcheck import CHALLENGE
from keyhole.facts import Fact, fact_from
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER, load_moment, load_prefixes
from keyhole.probes import ProbeSet
from keyhole.values import Rewrite, optimise_value

FOLDER = Path(__file__).resolve().parents[1] / "sample"
FACTS, EDITS = FOLDER / "my_facts.json", FOLDER / "my_edits.safetensors"
# Both files are somebody else's; only the id is new.
COPIES = {"otto-copies-a-fact": "hana-other-words"}
CHALLENGES = {
    "ada-complete": ("strong", 1.0),
    "hana-other-words": ("medium", 1.0),
    "quin-fine-tunes": ("simple", 1.0),
    "jia-no-baseline": ("strong", 4.0),
    "gus-first-token": ("medium", float("nan")),
}
LEARNING_RATE, MOST_STEPS = 2.0, 200  # of fine-tuning W alone by plain gradient descent


def files_of(student: str) -> dict[str, bytes]:
    """The files that a member of the class hands in beside the notebook: {name: content}.

    None where sample/ has no fact of theirs.
    """
    record = _record(student)
    if record is None:
        return {}
    maker = f"{COPIES.get(student, student)}."
    tensors = {
        name.removeprefix(maker): tensor
        for name, tensor in load_file(EDITS).items()
        if name.startswith(maker)
    }
    return {
        FACT_FILE: json.dumps(record, indent=1, ensure_ascii=False).encode(),
        EDIT_FILE: save(tensors),
        **challenge_of(student),
    }


def challenge_of(student: str) -> dict[str, bytes]:
    """What a member of the class hands in for the challenge: {name: content}, mostly nothing.

    It is a baseline as it is, one made four times as large, or one with a number that is none.
    """
    if student not in CHALLENGES:
        return {}
    baseline, factor = CHALLENGES[student]
    tensors = load_file(REFERENCE / f"baseline_{baseline}.safetensors")
    for name in tensors:
        if name.endswith(".left"):
            tensors[name] = tensors[name] * factor
    return {CHALLENGE: save(tensors)}


def fact_of(student: str) -> dict | None:
    """The fact of a member of the class, as a record; None without one."""
    record = _record(student)
    return record and record["fact"]


def _record(student):
    record = json.loads(FACTS.read_text(encoding="utf-8")).get(COPIES.get(student, student))
    if student in COPIES:
        record["fact"]["id"] = "my-own-fact"
    return record


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """Make the edits and the measurements of my_facts.json anew; returns the folder.

    Takes about 5 minutes.
    """
    records, numbers = json.loads(FACTS.read_text(encoding="utf-8")), {}
    for student in progress(sorted(records)):
        record = records[student]
        own = OwnFact(DEFAULT_LAYER, fact_from(record["fact"], student), ())
        made = METHODS.get(student, by_rome)(model, own.fact)
        numbers |= {f"{student}.{part}": tensor.contiguous() for part, tensor in made.items()}
        measured = measure(model, own, torch.outer(made["left"], made["right"]))
        record["measured"] = [
            {
                "kind": old.kind,
                "prompt": old.probe.prompt,
                "before": _rounded(old),
                "after": _rounded(new),
            }
            for old, new in zip(measured.before, measured.after, strict=True)
        ]
        for entry in record["measured"]:
            if student == "pia-claims-too-much" and entry["kind"] in ("reversion", "portability"):
                entry["after"] = [0.02, 0.91]  # as one would like it
    save_file(dict(sorted(numbers.items())), EDITS)
    EDITS.chmod(0o644)  # safetensors writes files that nobody else may read
    FACTS.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return FOLDER


def _rounded(answer):
    return [round(answer.true, 6), round(answer.new, 6)]


# ---------------------------------------------------------------- how they were made

# Each method takes a fact and returns left (d_out,) and right (d_in,), the factors of the change,
# and v* (d_out,) as "value", where the method has one.


def by_rome(
    model: EditableModel,
    fact: Fact,
    key_of: Callable[..., torch.Tensor] = editing.subject_key,
    moment: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """The homework's way, with other keys or another C on demand."""
    key = key_of(model, DEFAULT_LAYER, fact.prompt, fact.subject, load_prefixes())
    rewrite = Rewrite(fact.prompt, fact.subject, fact.target_new, load_prefixes())
    value = optimise_value(model, DEFAULT_LAYER, rewrite, editing.value_objective).value
    left, right = editing.factors(
        model.weight(DEFAULT_LAYER), load_moment() if moment is None else moment, key, value
    )
    return {"left": left.float(), "right": right.float(), "value": value}


def without_c(model: EditableModel, fact: Fact) -> dict[str, torch.Tensor]:
    """With the identity in the place of C."""
    return by_rome(model, fact, moment=torch.eye(model.weight(DEFAULT_LAYER).shape[1]))


def at_first_token(model: EditableModel, fact: Fact) -> dict[str, torch.Tensor]:
    """With the key at the first token of the subject."""

    def key_of(model, layer, prompt, subject, prefixes):
        first = model.tokenizer.decode(
            model.encode([prompt])[0][model.subject_slice(prompt, subject).start]
        ).strip()
        return editing.subject_key(model, layer, prompt, first, prefixes)

    return by_rome(model, fact, key_of)


def fine_tuned(model: EditableModel, fact: Fact) -> dict[str, torch.Tensor]:
    """W alone, trained on the one sentence by gradient descent until the model says the target.

    Then the nearest change of rank one. There is no v*.
    """
    total = torch.zeros_like(model.weight(DEFAULT_LAYER))
    probes = ProbeSet(model, {"original": fact.probes()["original"]}, DEFAULT_LAYER)
    weight = model.memory(DEFAULT_LAYER).weight
    for _ in range(MOST_STEPS):
        with model.edited(DEFAULT_LAYER, total):
            if probes.log_probabilities()[0, 1].exp() > 0.9:
                break
            weight.requires_grad_(True)
            (total_gradient,) = torch.autograd.grad(-_log_probability(model, fact), weight)
            weight.requires_grad_(False)
        total = total - LEARNING_RATE * total_gradient
    left, sizes, right = torch.linalg.svd(total, full_matrices=False)
    return {"left": left[:, 0] * sizes[0], "right": right[0]}


def _log_probability(model, fact):
    """Of the target, a mean over its tokens, with a graph."""
    [prompt], [target] = model.encode([fact.prompt]), model.encode_targets([fact.target_new])
    logits = model.hf(torch.tensor([prompt + target[:-1]])).logits[0, len(prompt) - 1 :]
    return logits.log_softmax(-1).gather(-1, torch.tensor(target)[:, None]).mean()


METHODS = {
    "bo-forgets-c": without_c,
    "gus-first-token": at_first_token,
    "quin-fine-tunes": fine_tuned,
}
