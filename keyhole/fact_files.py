"""The field's files of facts: CounterFact, known facts of causal tracing, zsRE, KnowEdit.

The kit's own format is read as well.

They are read from a path; nothing is downloaded. Whatever the file, targets come out with their
leading space, in scripts that have one, and prompts without a trailing one. All texts come out as
`ordinary` (keyhole.text) gives them. A record that cannot be used is left out, counted and named;
it does not keep the others from being read.
"""

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyhole.errors import KeyholeError
from keyhole.facts import BadRecord, Probe, list_at, prompt_lacks_subject, text_at
from keyhole.messages import Remark, problem
from keyhole.text import as_target, ordinary

if TYPE_CHECKING:  # torch takes seconds, and reading a file does without it
    from keyhole.models import EditableModel

QUESTION_MARKS = ("?", "？", "؟")


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
    one. Records that cannot be used are left out: a warning counts them and names the first
    (read_facts gives them all). Those are records that lack a key, have it with another type, have
    no place for the subject in the prompt, or stand there twice; with `drop_duplicates` nothing is
    said of the last. Raises KeyholeError where the file cannot be read, or no record can be used.
    """
    return _load(path, "counterfact", drop_duplicates)


def load_known(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in the format of causal tracing's known facts. (ROME, section 2.1)

    The records have no new target. Keys read: known_id, subject, attribute, prompt. Warns and
    raises as load_counterfact does.
    """
    return _load(path, "known", drop_duplicates)


def load_zsre(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in zsRE's format for editing. (MEND, section 5.1)

    Keys read: subject; src, the question; rephrase; alt, the new answer; answers, of which the
    first is the true one; loc and loc_ans, an unrelated question and its answer. pred and cond are
    not read: they hold what some other model said, which is often wrong. Warns and raises as
    load_counterfact does.
    """
    return _load(path, "zsre", drop_duplicates)


def load_knowedit(path: str | Path, drop_duplicates: bool = False) -> list[Record]:
    """Facts of a file in KnowEdit's format. (Zhang et al. 2024)

    Keys read: subject, prompt, target_new, and where they are there ground_truth, rephrase_prompt,
    locality and portability: lists of {prompt, ground_truth}, such lists by name, or flat, as
    locality_prompt and locality_ground_truth. Of several right answers the first counts. Warns and
    raises as load_counterfact does.
    """
    return _load(path, "knowedit", drop_duplicates)


# ---------------------------------------------------------------- one record of each format


def _counterfact(record, name, where):
    rewrite = _part(record, "requested_rewrite", where)
    inside = f"{where}, requested_rewrite"
    template, subject = text_at(rewrite, "prompt", inside), _subject(rewrite, inside)
    if "{}" not in template:
        raise BadRecord("no_place_for_subject", where=inside, prompt=template)
    true, new = (
        as_target(text_at(_part(rewrite, key, inside), "str", f"{inside}, {key}"))
        for key in ("target_true", "target_new")
    )
    neighbors = tuple(
        (prompt.rstrip(), true) for prompt in _texts(record, "neighborhood_prompts", where)
    )
    paraphrases = _texts(record, "paraphrase_prompts", where)
    prompt = template.replace("{}", subject).rstrip()
    return Record(name, prompt, subject, true, new, paraphrases, neighbors)


def _own(record, name, where):
    neighbors = tuple(
        tuple(text_at(entry, key, f"{where}, neighbors") for key in ("prompt", "answer"))
        for entry in list_at(record, "neighbors", dict, where)
    )
    return Record(
        name,
        text_at(record, "prompt", where).rstrip(),
        _subject(record, where),
        as_target(text_at(record, "target_true", where)),
        as_target(text_at(record, "target_new", where)),
        _texts(record, "paraphrases", where),
        tuple((prompt.rstrip(), as_target(answer)) for prompt, answer in neighbors),
    )


def _known(record, name, where):
    return Record(
        name,
        text_at(record, "prompt", where).rstrip(),
        _subject(record, where),
        as_target(text_at(record, "attribute", where)),
        None,
    )


def _zsre(record, name, where):
    question = text_at(record, "loc", where).rstrip()
    true = as_target(_first_text(record, "answers", where)) if record.get("answers") else None
    return Record(
        name,
        text_at(record, "src", where).rstrip(),
        _subject(record, where),
        true,
        as_target(text_at(record, "alt", where)),
        (text_at(record, "rephrase", where).rstrip(),),
        (
            (
                question if question.endswith(QUESTION_MARKS) else question + "?",
                as_target(text_at(record, "loc_ans", where)),
            ),
        ),
    )


def _knowedit(record, name, where):
    new = as_target(text_at(record, "target_new", where))
    true = (
        as_target(_first_text(record, "ground_truth", where))
        if record.get("ground_truth")
        else None
    )
    rephrased = _all_texts(record, "rephrase_prompt", where)
    return Record(
        name,
        text_at(record, "prompt", where).rstrip(),
        _subject(record, where),
        None if true == new else true,
        new,
        tuple(text.rstrip() for text in rephrased),
        _asked(record, "locality", where),
        _asked(record, "portability", where),
    )


def _asked(record, key, where):
    """KnowEdit's probes, a list or lists by name, and those that stand flat: ((prompt, answer), …).

    An entry may put its question in several ways; each is a probe.
    """
    groups = record.get(key) or {}
    if not isinstance(groups, dict):
        groups = {"": groups}
    asked = []
    for name, group in groups.items():
        inside = f"{where}, {key} {name}".rstrip()
        if not isinstance(group, list):
            raise BadRecord("no_list", where=inside, got=type(group).__name__)
        for entry in group:
            answer = as_target(_first_text(entry, "ground_truth", inside))
            prompts = _all_texts(entry, "prompt", inside) or [text_at(entry, "prompt", inside)]
            asked += [(prompt.rstrip(), answer) for prompt in prompts]
    return (*asked, *_flat(record, key, where))


def _flat(record, key, where):
    """Probes as two keys of the record itself, each a text or a list of them."""
    names = f"{key}_prompt", f"{key}_ground_truth"
    if not any(record.get(name) for name in names):
        return ()
    for name in names:
        if not record.get(name):
            raise BadRecord("no_key", where=where, key=name)
    prompts, answers = (
        value if isinstance(value, list) else [value] for value in map(record.get, names)
    )
    if len(prompts) != len(answers):
        raise BadRecord("uneven", where=where, one=names[0], other=names[1])
    pairs = [dict(zip(names, pair, strict=True)) for pair in zip(prompts, answers, strict=True)]
    return tuple(
        (_first_text(pair, names[0], where).rstrip(), as_target(_first_text(pair, names[1], where)))
        for pair in pairs
    )


@dataclass(frozen=True)
class Format:
    """How the records of one kind of file are read.

    A record is of the format if it has all of `marks` as keys; `reads` are those that are read.
    """

    title: str
    id_key: str | None
    read: Callable[[dict, str, str], Record]
    marks: frozenset[str]
    reads: frozenset[str]


# In this order: a record is of the first format whose marks it has.
FORMATS = {
    "counterfact": Format(
        "CounterFact",
        "case_id",
        _counterfact,
        frozenset({"requested_rewrite"}),
        frozenset({"case_id", "requested_rewrite", "paraphrase_prompts", "neighborhood_prompts"}),
    ),
    "keyhole": Format(
        "Keyhole",
        "id",
        _own,
        frozenset({"target_new", "paraphrases", "neighbors"}),
        frozenset({"id", "relation", "prompt", "subject", "target_true", "target_new", "hidden"})
        | {"paraphrases", "neighbors"},
    ),
    "known": Format(
        "known-facts",
        "known_id",
        _known,
        frozenset({"known_id", "attribute"}),
        frozenset({"known_id", "prompt", "subject", "attribute"}),
    ),
    "zsre": Format(
        "zsRE",
        None,
        _zsre,
        frozenset({"src", "alt"}),
        frozenset({"src", "subject", "answers", "alt", "rephrase", "loc", "loc_ans"}),
    ),
    "knowedit": Format(
        "KnowEdit",
        None,
        _knowedit,
        frozenset({"prompt", "target_new"}),
        frozenset({"prompt", "subject", "target_new", "ground_truth", "rephrase_prompt"})
        | {
            f"{kind}{part}"
            for kind in ("locality", "portability")
            for part in ("", "_prompt", "_ground_truth")
        },
    ),
}


# ---------------------------------------------------------------- a whole file

MOST_NUMBERS = 8  # of records, in one line


@dataclass(frozen=True)
class FactFile:
    """What a file holds, by the records' numbers in it: those that can be used, and why not.

    `unread` says of each key that no probe is made of how many records have it.
    """

    name: str
    format: str  # a name in FORMATS
    records: dict[int, Record]
    refused: dict[int, BadRecord]
    unread: Mapping[str, int]

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

    The file holds a JSON list, or one record on each line. `format_name` is one of FORMATS; unless
    it is given, the records tell the format. Raises KeyholeError where the file cannot be read,
    holds no list of records, or has no known format.
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
    keys = Counter(key for entry in entries if isinstance(entry, dict) for key in entry)
    unread = {key: count for key, count in keys.items() if key not in form.reads}
    return FactFile(path.name, format_name, records, refused, unread)


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
    """The records of a file that can be used; a warning counts and names the others."""
    facts = read_facts(path, format_name)
    if said := left_out(facts, drop_duplicates):
        warnings.warn(str(said), stacklevel=3)
    return list(facts.records.values())


def left_out(facts: FactFile, drop_duplicates: bool = False) -> Remark | None:
    """The sentence that counts and names the records that cannot be used; None if all can.

    With `drop_duplicates` those that are there twice do not count. Raises the first record's error
    where no record can be used.
    """
    refused = {
        number: error
        for number, error in sorted(facts.refused.items())
        if not (drop_duplicates and error.code == "same_record")
    }
    if not refused:
        return None
    first = next(iter(refused.values()))
    if not facts.records:
        raise first
    numbers = [str(number) for number in refused]
    some = ", ".join(numbers[:MOST_NUMBERS]) + (", …" if len(numbers) > MOST_NUMBERS else "")
    return problem(
        "records_left_out",
        file=facts.name,
        count=len(refused),
        all=facts.count,
        numbers=some,
        first=str(first),
    )


@dataclass(frozen=True)
class _NoRecord:
    """Stands for a line that is not JSON."""

    error: str


def _entries(path, format_name):
    """The list in a JSON file, or the records on the lines of one, or the one record that it is."""
    title = FORMATS[format_name].title if format_name else None
    try:
        content = path.read_bytes()
        text = content.decode(json.detect_encoding(content))
    except OSError as error:
        raise KeyholeError(problem("file_unreadable", path=path, error=error.strerror)) from None
    except ValueError as error:
        raise _no_json(path, title, error) from None
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        entries = _lines(text)
        if not any(isinstance(entry, dict) for entry in entries):
            raise _no_json(path, title, error) from None
    if isinstance(entries, dict) and isinstance(entries.get("facts"), list):
        return entries["facts"]  # as the kit's own file
    if isinstance(entries, dict) and any(form.marks <= entries.keys() for form in FORMATS.values()):
        entries = [entries]
    if not isinstance(entries, list):
        got = type(entries).__name__
        raise KeyholeError(
            problem("no_records", path=path, format=title, got=got)
            if title
            else problem("no_facts_listed", path=path)
        )
    return entries


def _no_json(path, title, error):
    return KeyholeError(
        problem("other_format", path=path, format=title, error=error)
        if title
        else problem("no_json", path=path, error=error)
    )


def _lines(text):
    """The records of a file with one on each line; none where it does not begin with one."""
    entries = []
    if text.lstrip().startswith("{"):
        for line in filter(str.strip, text.split("\n")):
            try:
                entries.append(json.loads(line))
            except (ValueError, RecursionError) as error:
                entries.append(_NoRecord(str(error)))
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
    if isinstance(entry, _NoRecord):
        raise BadRecord("line_no_json", where=where, error=entry.error)
    if not isinstance(entry, dict):
        raise BadRecord("no_object", where=where, got=type(entry).__name__)
    name = str(number)
    if form.id_key:
        name = _id(entry, form.id_key, where)
        where = f"{where} ({form.id_key} {name})"
    record = form.read(entry, name, where)
    if record.subject not in record.prompt:
        raise prompt_lacks_subject(record.prompt, record.subject, where)
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


def _subject(record, where):
    return text_at(record, "subject", where).strip()


def _texts(record, key, where):
    return tuple(ordinary(text).rstrip() for text in list_at(record, key, str, where))


def _first_text(record: Any, key: str, where: Any) -> str:
    """A text, or the first of a list of texts, however deep the lists."""
    value = record.get(key) if isinstance(record, dict) else None
    while isinstance(value, list) and value:
        value = value[0]
    return text_at({key: value} if value is not None else {}, key, where)


def _all_texts(record: Any, key: str, where: Any) -> list[str]:
    """The texts at a key, which may be one, or a list; none where there is no such key."""
    value = record.get(key) if isinstance(record, dict) else None
    values = value if isinstance(value, list) else [value] if value else []
    return [text_at({key: each}, key, where) for each in values]
