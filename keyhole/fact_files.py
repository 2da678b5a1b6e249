"""The field's own files of facts, read from a path: CounterFact, the known facts of causal tracing, zsRE, KnowEdit.

Nothing is downloaded. Whatever the file, targets come out with their leading space and prompts without a trailing one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.facts import Probe, list_at, text_at
from keyhole.messages import problem


@dataclass(frozen=True)
class Record:
    """A fact of such a file: to trace (prompt, subject), to edit (with target_new) and to measure (probes()).

    A target that the file does not name is None. neighbors: (prompt, answer that must stay); portability: (prompt, answer after the edit).
    """

    id: str
    prompt: str
    subject: str
    target_true: str | None
    target_new: str | None
    paraphrases: tuple = ()
    neighbors: tuple = ()
    portability: tuple = ()
    generation_prompts: tuple = ()

    def probes(self):
        """Its probes by kind, as Fact.probes(), of the kinds that the file has. The files name no rival of a portability answer, so those count by generation alone."""
        kinds = {
            "original": [Probe(self.prompt, self.target_true, self.target_new)],
            "paraphrase": [
                Probe(prompt, self.target_true, self.target_new) for prompt in self.paraphrases
            ],
            "neighborhood": [
                Probe(prompt, answer, self.target_new) for prompt, answer in self.neighbors
            ],
            "portability": [Probe(prompt, None, answer) for prompt, answer in self.portability],
        }
        return {kind: probes for kind, probes in kinds.items() if probes}


def load_counterfact(path, drop_duplicates=False):
    """Facts of a file in CounterFact's format: list of Record. (ROME, section 3.4)

    Keys read: case_id, requested_rewrite (prompt with {} for the subject, subject, target_new.str, target_true.str),
    paraphrase_prompts, neighborhood_prompts (their answer is the fact's own true one), generation_prompts.
    Raises KeyholeError, naming the record, where a key is missing or has another type, the prompt has no place for the subject, or a fact
    stands there twice; with `drop_duplicates` the first of such stays.
    """
    return _load(path, "CounterFact", "case_id", _counterfact, drop_duplicates)


def load_known(path, drop_duplicates=False):
    """Facts of a file in the format of the known facts of causal tracing: list of Record without a new target. (ROME, section 2.1)

    Keys read: known_id, subject, attribute, template ({} for the subject), prediction, prompt. Raises as load_counterfact does.
    """
    return _load(path, "known-facts", "known_id", _known, drop_duplicates)


def load_zsre(path, drop_duplicates=False):
    """Facts of a file in zsRE's format for editing: list of Record. (MEND, section 5.1)

    Keys read: subject, src (the question), rephrase, alt (the new answer), loc and loc_ans (an unrelated question and its answer), cond
    ("old >> new || question": the old answer). Raises as load_counterfact does.
    """
    return _load(path, "zsRE", None, _zsre, drop_duplicates)


def load_knowedit(path, drop_duplicates=False):
    """Facts of a file in KnowEdit's format: list of Record. (Zhang et al. 2024)

    Keys read: subject, prompt, target_new, and where they are there ground_truth, rephrase_prompt, locality and portability (lists of
    {prompt, ground_truth}, or such lists by name). Of several right answers the first counts. Raises as load_counterfact does.
    """
    return _load(path, "KnowEdit", None, _knowedit, drop_duplicates)


# ---------------------------------------------------------------- one record of each format


def _counterfact(record, name, where):
    rewrite = _part(record, "requested_rewrite", where)
    inside = f"{where}, requested_rewrite"
    template, subject = text_at(rewrite, "prompt", inside), text_at(rewrite, "subject", inside)
    if "{}" not in template:
        raise KeyholeError(problem("no_place_for_subject", where=inside, prompt=template))
    true, new = (
        _target(text_at(_part(rewrite, key, inside), "str", f"{inside}, {key}"))
        for key in ("target_true", "target_new")
    )
    neighbors = tuple(
        (prompt.rstrip(), true) for prompt in _texts(record, "neighborhood_prompts", where)
    )
    return Record(
        name,
        template.replace("{}", subject).rstrip(),
        subject,
        true,
        new,
        _texts(record, "paraphrase_prompts", where),
        neighbors,
        generation_prompts=_texts(record, "generation_prompts", where),
    )


def _known(record, name, where):
    for key in ("template", "prediction"):
        text_at(record, key, where)
    return Record(
        name,
        text_at(record, "prompt", where).rstrip(),
        text_at(record, "subject", where),
        _target(text_at(record, "attribute", where)),
        None,
    )


def _zsre(record, name, where):
    question = text_at(record, "loc", where).rstrip()
    condition = text_at(record, "cond", where)
    old, arrow, _ = condition.partition(">>")
    if not arrow or not old.strip():
        raise KeyholeError(problem("no_condition", where=where, got=condition))
    return Record(
        name,
        text_at(record, "src", where).rstrip(),
        text_at(record, "subject", where),
        _target(old),
        _target(text_at(record, "alt", where)),
        (text_at(record, "rephrase", where).rstrip(),),
        (
            (
                question if question.endswith("?") else question + "?",
                _target(text_at(record, "loc_ans", where)),
            ),
        ),
    )


def _knowedit(record, name, where):
    new = _target(text_at(record, "target_new", where))
    true = (
        _target(_first_text(record, "ground_truth", where)) if record.get("ground_truth") else None
    )
    rephrased = (
        (_first_text(record, "rephrase_prompt", where).rstrip(),)
        if record.get("rephrase_prompt")
        else ()
    )
    return Record(
        name,
        text_at(record, "prompt", where).rstrip(),
        text_at(record, "subject", where),
        None if true == new else true,
        new,
        rephrased,
        _asked(record, "locality", where),
        _asked(record, "portability", where),
    )


def _asked(record, key, where):
    """KnowEdit's probes, a list or lists by name: ((prompt, answer), ...)."""
    groups = record.get(key) or {}
    if not isinstance(groups, dict):
        groups = {"": groups}
    found = []
    for name, group in groups.items():
        inside = f"{where}, {key} {name}".rstrip()
        if not isinstance(group, list):
            raise KeyholeError(problem("no_list", where=inside, got=type(group).__name__))
        found += [
            (
                _first_text(entry, "prompt", inside).rstrip(),
                _target(_first_text(entry, "ground_truth", inside)),
            )
            for entry in group
        ]
    return tuple(found)


# ---------------------------------------------------------------- reading


def _load(path, format_name, id_key, read, drop_duplicates):
    path = Path(path)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyholeError(problem("file_unreadable", path=path, error=error.strerror)) from None
    except ValueError as error:
        raise KeyholeError(
            problem("other_format", path=path, format=format_name, error=error)
        ) from None
    if not isinstance(records, list):
        raise KeyholeError(
            problem("no_records", path=path, format=format_name, got=type(records).__name__)
        )
    found, ids, edits = [], {}, {}
    for i, record in enumerate(records):
        where = problem("record", number=i, file=path.name)
        if not isinstance(record, dict):
            raise KeyholeError(problem("no_object", where=where, got=type(record).__name__))
        name = _id(record, id_key, where) if id_key else str(i)
        where = f"{where} ({id_key} {name})" if id_key else where
        fact = _checked(read(record, name, where), where)
        same = next(
            (seen[key] for seen, key in ((ids, fact.id), (edits, _edit(fact))) if key in seen), None
        )
        ids.setdefault(fact.id, i)
        edits.setdefault(_edit(fact), i)
        if same is None:
            found.append(fact)
        elif not drop_duplicates:
            raise KeyholeError(problem("same_record", where=where, other=same))
    return found


def _edit(fact):
    return fact.prompt, fact.subject, fact.target_new


def _checked(fact, where):
    if fact.subject not in fact.prompt:
        raise KeyholeError(
            problem("prompt_lacks_subject", where=where, prompt=fact.prompt, subject=fact.subject)
        )
    if fact.target_true == fact.target_new:
        raise KeyholeError(problem("same_targets", where=where, target=fact.target_true))
    return fact


def _id(record, key, where):
    value = record.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise KeyholeError(problem("no_id", where=where, key=key, got=value))
    return str(value)


def _part(record, key, where):
    if not isinstance(record.get(key), dict):
        raise KeyholeError(problem("no_part", where=where, key=key))
    return record[key]


def _texts(record, key, where):
    return tuple(text.rstrip() for text in list_at(record, key, str, where))


def _first_text(record, key, where):
    """A text, or the first of a list of texts, however deep the lists."""
    value = record.get(key) if isinstance(record, dict) else None
    while isinstance(value, list) and value:
        value = value[0]
    return text_at({key: value} if value is not None else {}, key, where)


def _target(text):
    return " " + text.strip()
