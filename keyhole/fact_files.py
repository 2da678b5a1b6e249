"""The field's own files of facts: CounterFact, known facts of causal tracing, zsRE, KnowEdit.

They are read from a path; nothing is downloaded. Whatever the file, targets come out with their
leading space and prompts without a trailing one.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyhole.errors import KeyholeError
from keyhole.facts import BadRecord, Probe, list_at, text_at
from keyhole.messages import problem

if TYPE_CHECKING:  # torch takes seconds, and reading a file does without it
    from keyhole.models import EditableModel


@dataclass(frozen=True)
class Record:
    """A fact of such a file: to trace (prompt, subject), to edit (target_new), to measure (probes).

    A target that the file does not name is None.
    """

    id: str
    prompt: str
    subject: str
    target_true: str | None
    target_new: str | None
    paraphrases: tuple[str, ...] = ()
    neighbors: tuple[tuple[str, str], ...] = ()  # (prompt, the answer that must stay)
    portability: tuple[tuple[str, str], ...] = ()  # (prompt, the answer after the edit)

    def probes(self) -> dict[str, list[Probe]]:
        """Its probes by kind, as Fact.probes(), of the kinds that the file has.

        The files name no rival of a portability answer, so those count by generation alone.
        """
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


def load_counterfact(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in CounterFact's format. (ROME, section 3.4)

    Keys read: case_id; requested_rewrite (prompt with {} for the subject, subject, target_new.str,
    target_true.str); paraphrase_prompts; neighborhood_prompts, whose answer is the fact's own true
    one. Raises KeyholeError, naming the record, where a key is missing or has another type, the
    prompt has no place for the subject, or a fact is there twice. With `drop_duplicates` the first
    of two equal facts stays.
    """
    return _load(path, "counterfact", drop_duplicates)


def load_known(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in the format of causal tracing's known facts. (ROME, section 2.1)

    The records have no new target. Keys read: known_id, subject, attribute, template ({} for the
    subject), prediction, prompt. Raises as load_counterfact does.
    """
    return _load(path, "known", drop_duplicates)


def load_zsre(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in zsRE's format for editing. (MEND, section 5.1)

    Keys read: subject; src, the question; rephrase; alt, the new answer; loc and loc_ans, an
    unrelated question and its answer; cond ("old >> new || question"), for the old answer. Raises
    as load_counterfact does.
    """
    return _load(path, "zsre", drop_duplicates)


def load_knowedit(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in KnowEdit's format. (Zhang et al. 2024)

    Keys read: subject, prompt, target_new, and where they are there ground_truth, rephrase_prompt,
    locality and portability (lists of {prompt, ground_truth}, or such lists by name). Of several
    right answers the first counts. Raises as load_counterfact does.
    """
    return _load(path, "knowedit", drop_duplicates)


# ---------------------------------------------------------------- one record of each format


def _counterfact(record, name, where):
    rewrite = _part(record, "requested_rewrite", where)
    inside = f"{where}, requested_rewrite"
    template, subject = text_at(rewrite, "prompt", inside), text_at(rewrite, "subject", inside)
    if "{}" not in template:
        raise BadRecord("no_place_for_subject", where=inside, prompt=template)
    true, new = (
        _target(text_at(_part(rewrite, key, inside), "str", f"{inside}, {key}"))
        for key in ("target_true", "target_new")
    )
    neighbors = tuple(
        (prompt.rstrip(), true) for prompt in _texts(record, "neighborhood_prompts", where)
    )
    paraphrases = _texts(record, "paraphrase_prompts", where)
    prompt = template.replace("{}", subject).rstrip()
    return Record(name, prompt, subject, true, new, paraphrases, neighbors)


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
        raise BadRecord("no_condition", where=where, got=condition)
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
    asked = []
    for name, group in groups.items():
        inside = f"{where}, {key} {name}".rstrip()
        if not isinstance(group, list):
            raise BadRecord("no_list", where=inside, got=type(group).__name__)
        asked += [
            (
                _first_text(entry, "prompt", inside).rstrip(),
                _target(_first_text(entry, "ground_truth", inside)),
            )
            for entry in group
        ]
    return tuple(asked)


@dataclass(frozen=True)
class Format:
    """How the records of one kind of file are read, and the keys by which they are recognised."""

    title: str
    id_key: str | None
    read: Callable[[dict, str, str], Record]
    marks: frozenset[str]


# In this order: a record is of the first format whose marks it has.
FORMATS = {
    "counterfact": Format("CounterFact", "case_id", _counterfact, frozenset({"requested_rewrite"})),
    "known": Format("known-facts", "known_id", _known, frozenset({"template", "attribute"})),
    "zsre": Format("zsRE", None, _zsre, frozenset({"src", "alt"})),
    "knowedit": Format("KnowEdit", None, _knowedit, frozenset({"prompt", "target_new"})),
}


# ---------------------------------------------------------------- a whole file


@dataclass(frozen=True)
class FactFile:
    """What a file holds, by the records' numbers in it: those that can be used, and why not."""

    name: str
    format: str  # a name in FORMATS
    records: dict[int, Record]
    refused: dict[int, BadRecord]

    @property
    def count(self) -> int:
        """How many records there are, of either sort."""
        return len(self.records) + len(self.refused)

    def without(self, refused: dict[int, BadRecord]) -> "FactFile":
        """The same file, with more of its records refused."""
        records = {i: record for i, record in self.records.items() if i not in refused}
        return replace(self, records=records, refused=self.refused | refused)


def read_facts(path: str | Path, format_name: str | None = None) -> FactFile:
    """Read a file of facts; records that are wrong, or there twice, are refused and the rest stay.

    `format_name` is one of FORMATS; unless it is given, the records tell the format. Raises
    KeyholeError where the file cannot be read, holds no list of records, or has no known format.
    """
    path = Path(path)
    entries = _entries(path, format_name)
    if format_name is None:
        format_name = _format_of(entries, path)
    form = FORMATS[format_name]
    records, refused, ids, edits = {}, {}, {}, {}
    for i, entry in enumerate(entries):
        try:
            where, record = _record(entry, i, form, path.name)
        except BadRecord as error:
            refused[i] = error
            continue
        edit = (record.prompt, record.subject, record.target_new)
        same = ids.get(record.id, edits.get(edit))
        ids.setdefault(record.id, i)
        edits.setdefault(edit, i)
        if same is None:
            records[i] = record
        else:
            refused[i] = BadRecord("same_record", where=where, other=same)
    return FactFile(path.name, format_name, records, refused)


def askable(model: "EditableModel", facts: FactFile, progress: Callable = iter) -> FactFile:
    """The file without the records that `model` cannot be asked.

    Those are records with a text that is not UTF-8, a target without tokens, or more tokens than
    the model reads. `progress` wraps the list of records.
    """
    refused = {}
    for number in progress(list(facts.records)):
        try:
            where = problem("record", number=number, file=facts.name)
            _check_askable(model, facts.records[number], where)
        except BadRecord as error:
            refused[number] = error
    return facts.without(refused)


def _check_askable(model, record, where):
    targets = [each for each in (record.target_true, record.target_new) if each is not None]
    for text in (record.prompt, *targets):
        try:
            text.encode()
        except UnicodeEncodeError:
            raise BadRecord("record_no_utf8", where=where, text=text) from None
    try:
        [prompt], answers = model.encode([record.prompt]), model.encode_targets(targets)
    except KeyholeError:
        raise BadRecord("record_no_tokens", where=where, prompt=record.prompt) from None
    tokens = len(prompt) + max(map(len, answers))
    if model.most_tokens is not None and tokens > model.most_tokens:
        raise BadRecord("record_too_long", where=where, tokens=tokens, most=model.most_tokens)


def _load(path, format_name, drop_duplicates):
    """All records of a file, or the error of the first that is wrong."""
    facts = read_facts(path, format_name)
    for _, error in sorted(facts.refused.items()):
        if not (drop_duplicates and error.code == "same_record"):
            raise error
    return list(facts.records.values())


def _entries(path, format_name):
    """The list in a JSON file."""
    title = FORMATS[format_name].title if format_name else None
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyholeError(problem("file_unreadable", path=path, error=error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise KeyholeError(
            problem("other_format", path=path, format=title, error=error)
            if title
            else problem("no_json", path=path, error=error)
        ) from None
    if not isinstance(entries, list):
        got = type(entries).__name__
        raise KeyholeError(
            problem("no_records", path=path, format=title, got=got)
            if title
            else problem("no_facts_listed", path=path)
        )
    return entries


def _format_of(entries, path):
    """The first format whose marks one of the records has."""
    for entry in entries:
        for name, form in FORMATS.items():
            if isinstance(entry, dict) and form.marks <= entry.keys():
                return name
    if not entries:
        raise KeyholeError(problem("no_facts_listed", path=path))
    raise KeyholeError(problem("unknown_format", path=path, known=", ".join(FORMATS)))


def _record(entry, number, form, file):
    """Where a record is, in words, and the record. Raises BadRecord for what is wrong with it."""
    where = problem("record", number=number, file=file)
    if not isinstance(entry, dict):
        raise BadRecord("no_object", where=where, got=type(entry).__name__)
    name = str(number)
    if form.id_key:
        name = _id(entry, form.id_key, where)
        where = f"{where} ({form.id_key} {name})"
    record = form.read(entry, name, where)
    if record.subject not in record.prompt:
        raise BadRecord(
            "prompt_lacks_subject", where=where, prompt=record.prompt, subject=record.subject
        )
    if record.target_true == record.target_new:
        raise BadRecord("same_targets", where=where, target=record.target_true)
    return where, record


def _id(record, key, where):
    value = record.get(key)
    if not isinstance(value, (int, str)) or isinstance(value, bool):
        raise BadRecord("no_id", where=where, key=key, got=value)
    return str(value)


def _part(record, key, where):
    if not isinstance(record.get(key), dict):
        raise BadRecord("no_part", where=where, key=key)
    return record[key]


def _texts(record, key, where):
    return tuple(text.rstrip() for text in list_at(record, key, str, where))


def _first_text(record: Any, key: str, where: Any) -> str:
    """A text, or the first of a list of texts, however deep the lists."""
    value = record.get(key) if isinstance(record, dict) else None
    while isinstance(value, list) and value:
        value = value[0]
    return text_at({key: value} if value is not None else {}, key, where)


def _target(text):
    return " " + text.strip()
