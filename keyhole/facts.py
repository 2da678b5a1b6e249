"""Facts that the model knows, with the probes that show what an edit of each did."""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.paths import data_folder

GLUED = re.compile(
    r"[A-Za-z0-9]\|[A-Za-z0-9]"
)  # a prompt's last character and a target's first, where a space is missing


@dataclass(frozen=True)
class Probe:
    """A prompt with the answer before the edit and the one that a successful (or harmful) edit gives.

    Some files of the field name one answer only: then the other is None, and probabilities cannot be compared.
    """

    prompt: str
    target_true: str | None
    target_new: str | None


@dataclass(frozen=True)
class Fact:
    """One fact to edit. Targets keep their leading space; neighbors are (prompt, answer) that must not change."""

    id: str
    relation: str
    prompt: str
    subject: str
    target_true: str
    target_new: str
    paraphrases: tuple
    neighbors: tuple
    reversion: Probe
    portability: Probe
    hidden: bool = False

    def probes(self):
        """All probes by kind: {"original", "paraphrase", "neighborhood", "reversion", "portability"} -> list of Probe.

        On a neighbor the true answer is the neighbor's own; the new target there is the edit's, which must not win.
        """
        return {
            "original": [Probe(self.prompt, self.target_true, self.target_new)],
            "paraphrase": [
                Probe(prompt, self.target_true, self.target_new) for prompt in self.paraphrases
            ],
            "neighborhood": [
                Probe(prompt, answer, self.target_new) for prompt, answer in self.neighbors
            ],
            "reversion": [self.reversion],
            "portability": [self.portability],
        }


def load_facts(path=None):
    """Read a file of facts, the kit's own unless told: list of Fact.

    Raises KeyholeError, naming the record, where a key is missing, has another type, the prompt lacks the subject, a target lacks
    its leading space, a text has a space too many, or a fact stands there twice.
    """
    path = Path(path) if path else data_folder() / "facts.json"
    try:
        records = json.loads(path.read_text(encoding="utf-8"))["facts"]
    except FileNotFoundError:
        raise KeyholeError(problem("no_facts", path=path)) from None
    except (ValueError, KeyError, TypeError) as error:
        raise KeyholeError(
            problem("not_facts", path=path, error=f"{type(error).__name__}: {error}")
        ) from None
    if not isinstance(records, list):
        raise KeyholeError(problem("facts_no_list", path=path))
    facts = [
        fact_from(record, problem("record", number=i, file=path.name))
        for i, record in enumerate(records)
    ]
    ids, edits = set(), {}
    for fact in facts:
        if fact.id in ids:
            raise KeyholeError(problem("fact_twice", file=path.name, fact=fact.id))
        twin = edits.setdefault((fact.prompt, fact.target_new), fact.id)
        if twin != fact.id:
            raise KeyholeError(problem("same_fact", file=path.name, one=twin, other=fact.id))
        ids.add(fact.id)
    return facts


def fact_from(record, where="fact"):
    """One Fact from its JSON form. Raises KeyholeError beginning with `where`, what is wrong and in which key."""
    if not isinstance(record, dict):
        raise KeyholeError(problem("no_object", where=where, got=type(record).__name__))
    where = f"{where} ({record.get('id')!r})"
    values = {}
    for field in fields(Fact):
        if field.name == "hidden":
            values["hidden"] = bool(record.get("hidden", False))
        elif field.name in ("reversion", "portability"):
            values[field.name] = Probe(
                **{
                    key: text_at(record.get(field.name), key, f"{where}, {field.name}")
                    for key in ("prompt", "target_true", "target_new")
                }
            )
        elif field.name == "paraphrases":
            values["paraphrases"] = tuple(list_at(record, "paraphrases", str, where))
        elif field.name == "neighbors":
            values["neighbors"] = tuple(
                (
                    text_at(entry, "prompt", f"{where}, neighbors"),
                    text_at(entry, "answer", f"{where}, neighbors"),
                )
                for entry in list_at(record, "neighbors", dict, where)
            )
        else:
            values[field.name] = text_at(record, field.name, where)
    for prompt in (values["prompt"], *values["paraphrases"]):
        if values["subject"] not in prompt:
            raise KeyholeError(
                problem(
                    "prompt_lacks_subject", where=where, prompt=prompt, subject=values["subject"]
                )
            )
    if values["target_true"].strip() == values["target_new"].strip():
        raise KeyholeError(problem("same_targets", where=where, target=values["target_true"]))
    fact = Fact(**values)
    _no_blank_too_many(where, fact.subject)
    for probe in (probe for probes in fact.probes().values() for probe in probes):
        _no_blank_too_many(where, probe.prompt.lstrip())
        for target in (probe.target_true, probe.target_new):
            _no_blank_too_many(where, target.removeprefix(" "))
            if GLUED.search(f"{probe.prompt[-1]}|{target[0]}"):
                raise KeyholeError(
                    problem(
                        "target_glued",
                        where=where,
                        target=target,
                        prompt=probe.prompt,
                        spaced=" " + target,
                    )
                )
    return fact


def _no_blank_too_many(where, text):
    if text != text.strip():
        raise KeyholeError(problem("blank_too_many", where=where, text=text))


def text_at(record, key, where):
    if not isinstance(record, dict) or key not in record:
        raise KeyholeError(problem("no_key", where=where, key=key))
    if not isinstance(record[key], str) or not record[key].strip():
        raise KeyholeError(problem("no_text", where=where, key=key, got=repr(record[key])))
    return record[key]


def list_at(record, key, kind, where):
    value = record.get(key)
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(entry, kind) for entry in value)
    ):
        raise KeyholeError(
            problem("no_texts" if kind is str else "no_objects", where=where, key=key)
        )
    return value
