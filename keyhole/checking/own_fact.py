"""The student's own fact: the two files handed in beside notebook 3, read and measured again.

Both the public check and the hidden tests read and measure here. The files may be hostile: sizes
are bounded before anything is read, no link is followed, and nothing in them is ever run.
"""

import json
import math
import os
import re
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from keyhole.checking.checks import CheckReport, passing
from keyhole.checking.judging import Verdict, right, usable, wrong
from keyhole.checking.tensor_file import read_tensors
from keyhole.errors import KeyholeError
from keyhole.facts import Fact, fact_from, load_facts
from keyhole.messages import Remark, check_title, feedback, listed, word
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER
from keyhole.notebooks.file import UNREADABLE, file_called, read_file
from keyhole.paths import EDIT_FILE, FACT_FILE, OWN_FACT
from keyhole.probes import PROBE_KINDS, Answer, ProbeSet
from keyhole.text import looks_like, one_line, ordinary

LIMIT_MB = 1  # of each file; honest ones have 3 and 11 kB
MOST_PROBES, MOST_CHARACTERS, MOST_TOKENS = (
    30,
    400,
    60,
)  # a fact of the kit's has 14 probes of about 12 tokens
TOLERANCE = 0.01  # in probability; machines and thread counts differ by about 0.001
AMONG_FIRST = 5  # the true answer is known when it is one of so many first answers
EXAMPLES = (("Eiffel Tower", " Paris"), ("Sydney Opera House", " Sydney"))  # of the notebook's text


class Absent(KeyholeError):
    """A file that was not handed in."""


@dataclass(frozen=True)
class Claim:
    """What a student measured at one probe: probabilities (true, new), before and after."""

    kind: str
    prompt: str
    before: tuple
    after: tuple


@dataclass(frozen=True)
class OwnFact:
    """What my_fact.json holds; `claims` is a tuple of Claim."""

    layer: int
    fact: Fact
    claims: tuple


@dataclass(frozen=True)
class OwnEdit:
    """What my_edit.safetensors holds, in float64: Ŵ - W = left rightᵀ, and v* if handed in."""

    left: torch.Tensor  # (d_out,)
    right: torch.Tensor  # (d_in,)
    value: torch.Tensor | None  # (d_out,)

    def change(self) -> torch.Tensor:
        """Ŵ - W, (d_out, d_in), float32."""
        return torch.outer(self.left, self.right).float()


# ---------------------------------------------------------------- reading


def read_fact(folder: str | Path) -> OwnFact:
    """The fact and the claims in `folder`: OwnFact.

    Raises Absent, or KeyholeError with one sentence on what is wrong.
    """
    path = _path(folder, FACT_FILE)
    raw = read_file(path, LIMIT_MB, follow_links=False, sentence="own_too_large")
    try:
        record = json.loads(raw)
        json.dumps(
            record, ensure_ascii=False
        ).encode()  # half a character cannot be put to the model
        return _own_fact(record)
    except UNREADABLE:
        raise KeyholeError(feedback("own_no_json", file=FACT_FILE)) from None


def _own_fact(record):
    missing = [
        key
        for key in ("layer", "fact", "measured")
        if not isinstance(record, dict) or key not in record
    ]
    if missing:
        raise KeyholeError(feedback("own_keys", file=FACT_FILE, missing=listed(missing)))
    fact = fact_from(record["fact"], FACT_FILE)
    layer = record["layer"]
    if type(layer) is not int:
        raise KeyholeError(
            feedback(
                "own_layer_type",
                file=FACT_FILE,
                got=one_line(json.dumps(layer, ensure_ascii=False), 40),
                layer=DEFAULT_LAYER,
            )
        )
    if layer != DEFAULT_LAYER:
        raise KeyholeError(
            feedback("own_layer", file=FACT_FILE, got=one_line(layer, 40), layer=DEFAULT_LAYER)
        )
    probes = [probe for kind in fact.probes().values() for probe in kind]
    if len(probes) > MOST_PROBES:
        raise KeyholeError(
            feedback("own_many", file=FACT_FILE, count=len(probes), most=MOST_PROBES)
        )
    if max(len(text) for text in _texts(fact)) > MOST_CHARACTERS:
        raise KeyholeError(feedback("own_long", file=FACT_FILE, most=MOST_CHARACTERS))
    return OwnFact(layer, fact, _claims(record["measured"]))


def read_edit(folder: str | Path, weight_shape: tuple[int, int]) -> OwnEdit:
    """The change in `folder`, for a W of `weight_shape` (d_out, d_in): OwnEdit.

    Raises Absent, or KeyholeError with one sentence.
    """
    tensors = read_tensors(_path(folder, EDIT_FILE), EDIT_FILE, LIMIT_MB)
    d_out, d_in = weight_shape
    shapes = {"left": (d_out,), "right": (d_in,), "value": (d_out,)}
    if not {"left", "right"} <= tensors.keys() <= shapes.keys():
        names = one_line(", ".join(sorted(tensors)), 80)
        raise KeyholeError(
            feedback("own_names", file=EDIT_FILE, got=names)
            if names
            else feedback("own_nothing", file=EDIT_FILE)
        )
    for name, tensor in sorted(tensors.items()):  # safetensors promises no order
        part = feedback("own_part", part=name, file=EDIT_FILE)
        if unusable := usable(tensor, shapes[name], part):
            raise KeyholeError(*unusable.said)
    edit = OwnEdit(
        tensors["left"].double(),
        tensors["right"].double(),
        tensors["value"].double() if "value" in tensors else None,
    )
    if not edit.change().isfinite().all():
        raise KeyholeError(feedback("own_huge", file=EDIT_FILE))
    return edit


def _path(folder, name):
    """Where the file lies. Raises Absent where it does not, KeyholeError behind a link."""
    if os.path.islink(folder):
        raise KeyholeError(feedback("own_link", file=name))
    if not (path := file_called(folder, name)):
        raise Absent(feedback("own_absent", file=name))
    return path


def _texts(fact):
    """Every text of a fact, and each prompt with its answers."""
    yield from (
        getattr(fact, field.name)
        for field in fields(fact)
        if isinstance(getattr(fact, field.name), str)
    )
    for probes in fact.probes().values():
        yield from (
            probe.prompt + target
            for probe in probes
            for target in (probe.target_true, probe.target_new)
        )


def _claims(entries):
    if not isinstance(entries, list):
        raise KeyholeError(feedback("own_claims", file=FACT_FILE, which=feedback("own_no_list")))
    for number, entry in enumerate(entries, 1):
        if not (
            isinstance(entry, dict)
            and entry.get("kind") in PROBE_KINDS
            and isinstance(entry.get("prompt"), str)
            and all(_two_probabilities(entry.get(key)) for key in ("before", "after"))
        ):
            raise KeyholeError(
                feedback("own_claims", file=FACT_FILE, which=feedback("own_entry", number=number))
            )
    return tuple(
        Claim(
            entry["kind"], ordinary(entry["prompt"]), tuple(entry["before"]), tuple(entry["after"])
        )
        for entry in entries
    )


def _two_probabilities(value):
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(
            isinstance(each, (int, float)) and not isinstance(each, bool) and 0 <= each <= 1
            for each in value
        )
    )


# ---------------------------------------------------------------- whose fact it is


def plain(text: str) -> str:
    """A name without article, capitals and punctuation: what a reader takes for the same."""
    words = re.findall(r"\w+", looks_like(text).casefold())
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("the", "a", "an") else words)


def told_in_handout(fact: Fact) -> bool:
    """Whether the handout tells this fact, in whatever words.

    That is a fact of the notebook's text, or a public one of data/facts.json.
    """
    told = [(each.subject, each.target_true) for each in load_facts() if not each.hidden]
    return (plain(fact.subject), plain(fact.target_true)) in {
        tuple(map(plain, pair)) for pair in (*EXAMPLES, *told)
    }


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Measured:
    """A fact's probes before and after the change: Answers, in the order of the probes."""

    before: list[Answer]
    after: list[Answer]


def check_length(model: EditableModel, fact: Fact) -> None:
    """Raises KeyholeError where a text of the fact has more tokens than are measured, or none."""
    if max(map(len, model.encode(list(_texts(fact))))) > MOST_TOKENS:
        raise KeyholeError(feedback("own_long_tokens", file=FACT_FILE, most=MOST_TOKENS))


def measure(model: EditableModel, own: OwnFact, change: torch.Tensor) -> Measured:
    """The probes of a student's fact, run on `model` as it is and with `change` (d_out, d_in).

    Raises KeyholeError.
    """
    check_length(model, own.fact)
    probes = ProbeSet(model, own.fact.probes(), own.layer)
    before = probes.answers()
    with model.edited(own.layer, change):
        return Measured(before, probes.answers())


def known(model: EditableModel, fact: Fact, before: list[Answer] | None = None) -> Verdict:
    """Whether the model, as it is, knows the true answer.

    It does when that is among its first answers, and ahead of the new one.

    `before`: the fact's probes as measured before the edit, where that was done already. Raises
    KeyholeError.
    """
    check_length(model, fact)
    first = model.encode_targets([fact.target_true])[0][0]
    probabilities = model.next_token_probabilities([fact.prompt])[0]
    place = int((probabilities > probabilities[first]).sum()) + 1
    answer = (before or ProbeSet(model, {"original": fact.probes()["original"]}).answers())[0]
    if place > AMONG_FIRST:
        says = one_line(model.tokenizer.decode([int(probabilities.argmax())]), 40)
        details = {"place": place, "says": says, "among": AMONG_FIRST, **_shown(answer)}
        return wrong(feedback("own_unknown", **details), misconception="fact_not_known")
    if not answer.true > answer.new:
        remark = feedback("own_behind", **_shown(answer))
        return wrong(remark, misconception="fact_not_known")
    return right(feedback("own_known", **_shown(answer)))


def _shown(answer):
    """What remarks tell of an answer to a probe."""
    return {
        "true": one_line(answer.probe.target_true, 40),
        "p_true": f"{answer.true:.3f}",
        "new": one_line(answer.probe.target_new, 40),
        "p_new": f"{answer.new:.3f}",
    }


def claims_hold(own: OwnFact, measured: Measured, kind: str) -> Verdict:
    """Whether what was claimed of the probes of one kind is what was measured."""
    claims = [claim for claim in own.claims if claim.kind == kind]
    rows = [
        (old, new)
        for old, new in zip(measured.before, measured.after, strict=True)
        if old.kind == kind
    ]
    if [claim.prompt for claim in claims] != [old.probe.prompt for old, _ in rows]:
        counts = {"claimed": len(claims), "probes": len(rows)}
        return wrong(feedback("own_other_probes", kind=kind, **counts))
    gaps = [gap for gap in _gaps(claims, rows) if not gap.size <= TOLERANCE]  # a NaN is one, too
    if not gaps:
        return right(feedback("own_holds", probes=len(rows), tolerance=TOLERANCE))
    worst = max(gaps, key=lambda gap: math.inf if math.isnan(gap.size) else gap.size)
    return wrong(
        feedback(
            "own_false",
            prompt=one_line(worst.prompt, 120),
            target=one_line(worst.target, 40),
            when=word(worst.when),
            said=f"{worst.claimed:.3f}",
            got=f"{worst.measured:.3f}",
            count=len(gaps),
        )
    )


@dataclass(frozen=True)
class _Gap:
    """One number that a student claimed, beside what was measured."""

    prompt: str
    target: str
    when: str  # "before" or "after" the edit
    claimed: float
    measured: float

    @property
    def size(self) -> float:
        return abs(self.claimed - self.measured)


def _gaps(claims, rows):
    """Each number of the claims beside that of the rows, pairs (answer before, answer after)."""
    for claim, answers in zip(claims, rows, strict=True):
        for when, claimed, answer in zip(
            ("before", "after"), (claim.before, claim.after), answers, strict=True
        ):
            targets = (answer.probe.target_true, answer.probe.target_new)
            for target, number, got in zip(
                targets, claimed, (answer.true, answer.new), strict=True
            ):
                yield _Gap(claim.prompt, target, when, number, got)


def works(model: EditableModel, fact: Fact, measured: Measured) -> Verdict:
    """Whether the new answer is ahead on the prompt itself, after the edit."""
    [new] = [answer for answer in measured.after if answer.kind == "original"]
    if new.new > new.true:
        return right(feedback("own_works", **_shown(new)))
    return not_felt(model, fact, feedback("own_fails", **_shown(new)))


def not_felt(
    model: EditableModel, fact: Fact, remark: Remark, otherwise: str | None = None
) -> Verdict:
    """An edit that is not felt: `remark`, with the misconception.

    That is a prompt that begins with a subject of one token, or else `otherwise`.
    """
    at_start = model.subject_slice(fact.prompt, fact.subject).stop == 1
    return wrong(remark, misconception="subject_at_start" if at_start else otherwise)


# ---------------------------------------------------------------- the public check


def check_files(model: EditableModel, folder: str | Path = ".") -> CheckReport:
    """Check my_fact.json and my_edit.safetensors in `folder`; a notebook shows the report.

    Looks at their form, at whose fact it is, and at what was claimed. Raises CheckFailed where
    something is wrong.
    """
    return passing(examine_files(model, folder))


def examine_files(model: EditableModel, folder: str | Path = ".") -> CheckReport:
    """The same as a CheckReport, whatever is in the files."""
    verdicts, parts = {}, {}
    for part, read in (
        ("fact", lambda: read_fact(folder)),
        ("edit", lambda: read_edit(folder, model.weight(DEFAULT_LAYER).shape)),
    ):
        try:
            parts[part] = read()
            verdicts[part] = right(feedback("own_read"))
        except KeyholeError as problem:
            verdicts[part] = wrong(*problem.remarks)
    if own := parts.get("fact"):
        verdicts["own"] = whose(own.fact)
        verdicts["known"] = _safely(lambda: known(model, own.fact))
    if len(parts) == 2:
        change = parts["edit"].change()
        verdicts["claims"] = _safely(lambda: _all_claims(model, own, measure(model, own, change)))
    titled = ((check_title(f"{OWN_FACT}.{name}"), verdict) for name, verdict in verdicts.items())
    return CheckReport(OWN_FACT, tuple(titled))


def whose(fact: Fact) -> Verdict:
    """Whether the fact is none of the handout's."""
    if told_in_handout(fact):
        names = {"subject": one_line(fact.subject, 60), "true": one_line(fact.target_true, 40)}
        return wrong(feedback("own_told", **names), misconception="fact_of_handout")
    return right(feedback("own_new"))


def _all_claims(model, own, measured):
    verdicts = [
        works(model, own.fact, measured),
        *(claims_hold(own, measured, kind) for kind in PROBE_KINDS),
    ]
    return next((verdict for verdict in verdicts if not verdict.passed), verdicts[-1])


def _safely(judge):
    try:
        return judge()
    except KeyholeError as problem:
        return wrong(*problem.remarks)
