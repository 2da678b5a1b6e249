"""Facts that the model knows, with the probes that show what an edit of each did."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyhole.errors import KeyholeError
from keyhole.messages import Remark, problem
from keyhole.paths import data_folder
from keyhole.text import as_target, glued, ordinary, takes_no_blank, why_absent


class BadRecord(KeyholeError):
    """What is wrong with one record of a file of facts.

    `key` is the record's key that it is about, "" where it is about no single key.
    """

    def __init__(self, reason: str, /, *also: Remark, **details: Any):
        super().__init__(problem(reason, **details), *also)
        self.key = details.get("key", "")


@dataclass(frozen=True)
class Probe:
    """A prompt with its answer before the edit and the answer that the edit gives.

    Some files of the field name one answer only. The other is then None, and the two
    probabilities cannot be compared.
    """

    prompt: str
    target_true: str | None
    target_new: str | None


# In the students' pack this stands for a reversion probe that would tell a fact that is held back.
HELD_BACK = {"held_back": True}


@dataclass(frozen=True)
class Fact:
    """One fact to edit. Targets keep their leading space, in scripts that have one."""

    id: str
    relation: str
    prompt: str
    subject: str
    target_true: str
    target_new: str
    paraphrases: tuple[str, ...]
    neighbors: tuple[tuple[str, str], ...]  # (prompt, the answer that must not change)
    reversion: Probe | None  # None where it is held back from students
    portability: Probe
    hidden: bool = False

    def probes(self) -> dict[str, list[Probe]]:
        """All probes by kind: original, paraphrase, neighborhood, reversion, portability.

        On a neighbor the true answer is the neighbor's own. The new target there is the edit's,
        which must not win. A fact without a reversion probe has no such kind.
        """
        probes = {
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
        return {kind: some for kind, some in probes.items() if some != [None]}


def load_facts(path: str | Path | None = None) -> list[Fact]:
    """Read a file of facts; without a path, the kit's own.

    Raises KeyholeError, naming the record, where a key is missing or has another type, the prompt
    lacks the subject, a target lacks its leading space, a text has a space too many, or a fact is
    there twice.
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


def fact_from(record: Any, where: Any = "fact") -> Fact:
    """One Fact from its JSON form; texts are read as `ordinary` (keyhole.text) gives them.

    Raises KeyholeError, whose sentence begins with `where` and names the key and what is wrong.
    """
    if not isinstance(record, dict):
        raise BadRecord("no_object", where=where, got=type(record).__name__)
    where = f"{where} ({record.get('id')!r})"
    names = ("id", "relation", "prompt", "subject", "target_true", "target_new")
    fact = Fact(
        **{name: text_at(record, name, where) for name in names},
        paraphrases=tuple(map(ordinary, list_at(record, "paraphrases", str, where))),
        neighbors=tuple(
            tuple(text_at(entry, key, f"{where}, neighbors") for key in ("prompt", "answer"))
            for entry in list_at(record, "neighbors", dict, where)
        ),
        reversion=(
            None if record.get("reversion") == HELD_BACK else _probe(record, "reversion", where)
        ),
        portability=_probe(record, "portability", where),
        hidden=bool(record.get("hidden", False)),
    )
    for prompt in (fact.prompt, *fact.paraphrases):
        if fact.subject not in prompt:
            raise prompt_lacks_subject(prompt, fact.subject, where)
    if fact.target_true.strip() == fact.target_new.strip():
        raise BadRecord("same_targets", where=where, target=fact.target_true)
    _check_blanks(fact, where)
    return fact


def _probe(record, name, where):
    keys = ("prompt", "target_true", "target_new")
    return Probe(*(text_at(record.get(name), key, f"{where}, {name}") for key in keys))


def _check_blanks(fact, where):
    """One blank before a target, in scripts that have blanks between words, and no other."""
    _no_blank_too_many(where, fact.subject)
    for probe in (probe for probes in fact.probes().values() for probe in probes):
        _no_blank_too_many(where, probe.prompt.lstrip())
        for target in (probe.target_true, probe.target_new):
            _no_blank_too_many(where, target.removeprefix(" "))
            named = {"where": where, "target": target, "prompt": probe.prompt}
            if glued(probe.prompt, target):
                raise BadRecord("target_glued", **named, right=as_target(target))
            if target != as_target(target) and takes_no_blank(probe.prompt[-1]):
                raise BadRecord("target_apart", **named, right=as_target(target))


def _no_blank_too_many(where, text):
    if text != text.strip():
        raise BadRecord("blank_too_many", where=where, text=text)


def prompt_lacks_subject(prompt: str, subject: str, where: Any) -> BadRecord:
    """What to raise of a prompt that lacks its subject; it says what differs if they look alike."""
    also = why_absent(subject, prompt)
    return BadRecord("prompt_lacks_subject", *also, where=where, prompt=prompt, subject=subject)


def text_at(record: Any, key: str, where: Any) -> str:
    """The text at a key of a record, as `ordinary` (keyhole.text) gives it.

    Raises BadRecord where there is none, or an empty one.
    """
    if not isinstance(record, dict) or key not in record:
        raise BadRecord("no_key", where=where, key=key)
    text = ordinary(record[key]) if isinstance(record[key], str) else ""
    if not text.strip():
        raise BadRecord("no_text", where=where, key=key, got=repr(record[key]))
    return text


def list_at(record: dict, key: str, kind: type, where: Any) -> list:
    """The list at a key of a record, of texts (`kind` str) or objects (dict).

    Raises BadRecord where it is empty or something else.
    """
    value = record.get(key)
    if (
        not isinstance(value, list)
        or not value
        or not all(isinstance(entry, kind) for entry in value)
    ):
        raise BadRecord("no_texts" if kind is str else "no_objects", where=where, key=key)
    return value
