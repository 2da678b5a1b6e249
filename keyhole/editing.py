"""One whole edit with functions that somebody else wrote, and what is asked of the model before and after it.

keyhole solves no blank: the key, the objective and the closed form come from a notebook.
"""

import time
from collections import Counter
from dataclasses import dataclass, replace

import torch

from keyhole.checking.checks import as_tensor, raised
from keyhole.errors import KeyholeError
from keyhole.facts import Probe, load_facts
from keyhole.checking.judging import usable
from keyhole.messages import feedback, problem, titled
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import load_prefixes, load_text, moment_over
from keyhole.notebooks.definitions import definitions, read_notebook
from keyhole.checking.selfcheck import Student, unrunnable
from keyhole.values import Rewrite, optimise_value

PARAPHRASES, NEIGHBORS = 3, 5  # probes made for a fact that is not one of the kit's


# ---------------------------------------------------------------- a notebook's functions


def functions_of(path, names):
    """The functions of those names that a notebook defines: {name: function}, each of which fails with one sentence.

    Raises KeyholeError where one is absent, broken or still a blank; what a function raises becomes a KeyholeError too.
    """
    found = definitions(read_notebook(path))
    for name in names:
        if why := unrunnable(name, found):
            raise KeyholeError(titled(path, why))
    student = Student(found.source)
    for name in names:
        if name not in student.names:
            raise KeyholeError(
                titled(
                    path, feedback("undefined", function=name, error=student.failed.get(name, "?"))
                )
            )
    return {name: _explained(name, student.names[name]) for name in names}


def _explained(name, function):
    def call(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            raise KeyholeError(raised(name, error, function)) from error

    return call


# ---------------------------------------------------------------- the edit


@dataclass(frozen=True)
class Edit:
    """What an edit came to: `change` is Ŵ - W (d_out, d_in); the caller applies it, `with model.edited(layer, edit.change)`."""

    change: torch.Tensor
    moved: float  # |Ŵ - W| / |W|
    losses: tuple  # of the search for v*, in nats
    seconds: dict  # of each part


def make_edit(model, layer, prompt, subject, target, moment, functions, prefixes, progress=iter):
    """Edit one fact by ROME: k*, v* and Ŵ by `functions` (subject_key, value_objective, rank_one_update); Edit.

    moment: (d_in, d_in), C of that layer. Nothing in the model changes. `progress` wraps the steps of the search for v*.
    """
    weight, seconds, clock = model.weight(layer).detach(), {}, time.perf_counter()

    def done(part):
        nonlocal clock
        now = time.perf_counter()
        seconds[part], clock = now - clock, now

    key = _result(
        "subject_key",
        functions["subject_key"](model, layer, prompt, subject, prefixes),
        weight.shape[1:],
        "k*",
    ).to(weight)
    done("k*")
    value = optimise_value(
        model,
        layer,
        Rewrite(prompt, subject, target, prefixes),
        functions["value_objective"],
        progress=progress,
    )
    done("v*")
    new = functions["rank_one_update"](weight.clone(), moment.to(weight), key, value.value)
    change = (
        _result("rank_one_update", new, weight.shape, "Ŵ").to(weight.device, torch.float64)
        - weight.double()
    )
    done("Ŵ")
    return Edit(change.to(weight), float(change.norm() / weight.norm()), value.losses, seconds)


def _result(name, value, shape, what):
    """What a student's function returned, if it can be used at all."""
    tensor = as_tensor(value, name)
    if unusable := usable(tensor, shape, what):
        raise KeyholeError(*unusable.said)
    return tensor


# ---------------------------------------------------------------- what is asked before and after


def known_fact(prompt, subject):
    """The kit's own fact with this prompt and subject (an article before it does not count), or None."""
    for fact in load_facts():
        if fact.prompt == prompt and (
            fact.subject.endswith(subject) or subject.endswith(fact.subject)
        ):
            return fact
    return None


def probes_of(fact, target, true):
    """Probes of one of the kit's facts for another target: {kind: [Probe]}; only its own target has reversion and portability.

    Neighbors whose answer is that target are left out: the edit cannot harm them.
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


def simple_probes(prompt, subject, target, true):
    """Probes for a fact of somebody's own, from its prompt alone: {kind: [Probe]}.

    Other facts, said before it, make paraphrases of it. Neighbors are prompts of the kit's facts: first those in the same words or with the same true answer,
    which an edit harms soonest, then one relation after the other.
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


def first_answers(model, prompt, count=3):
    """The most probable next tokens: [(text, probability)]."""
    values, tokens = model.next_token_probabilities([prompt])[0].topk(count)
    return [
        (model.tokenizer.decode([token]), value)
        for value, token in zip(values.tolist(), tokens.tolist())
    ]


# ---------------------------------------------------------------- C for another layer or model


def text_for(model, name):
    """The kit's text in the tokens of `model`: ids (sequences, tokens). Its pieces are joined, and cut anew where tokens differ."""
    ids = load_text()
    if name == DEFAULT_MODEL:
        return ids
    from transformers import AutoTokenizer

    from keyhole.fetch import fetch

    spoken = AutoTokenizer.from_pretrained(fetch(), local_files_only=True)
    tokens = [token for piece in model.encode(spoken.batch_decode(ids)) for token in piece]
    length = min(ids.shape[1], getattr(model.hf.config, "max_position_embeddings", ids.shape[1]))
    return torch.tensor(tokens[: len(tokens) // length * length]).view(-1, length)


def mean_moment(model, layer, ids, second_moment, progress=iter):
    """C of `layer` over `ids` by a `second_moment` that sums or takes the mean; always the mean over tokens, (d_in, d_in)."""
    for_two_ones = float(
        _result("second_moment", second_moment(torch.ones(2, 3)), (3, 3), "C")[0, 0]
    )
    if for_two_ones not in (1, 2):
        raise KeyholeError(problem("neither_mean_nor_sum"))

    def total(keys):
        moment = _result("second_moment", second_moment(keys), (keys.shape[1],) * 2, "C")
        return moment.double() * (len(keys) if for_two_ones == 1 else 1)

    return moment_over(model, layer, ids, total, progress) / ids.numel()
