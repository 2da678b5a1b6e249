"""Make data/facts.json: measure which candidate facts the model knows, and which probes hold.

The candidates (data/fact_candidates.json) are wordings and tables of who goes with what. The
tables are not trusted: a wording, a probe or a neighbor is kept only where the unedited model
answers as it should.
"""

import hashlib
import json
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.paths import data_folder
from keyhole.probes import Question, score

PLAIN = str.maketrans("łøŁØ", "loLO")  # letters that have no plain letter inside, for Unicode


@dataclass(frozen=True)
class Rules:
    """What a fact must show on the unedited model before it is kept."""

    # A known answer is the model's first, or among the first `top` and clearly ahead of the other.
    top: int = 5
    ahead: float = 4.0  # "clearly": so many times as probable
    paraphrases: tuple[int, int] = (2, 3)  # at least, at most
    neighbors: tuple[int, int] = (5, 8)  # at least, at most
    # At most so many neighbors share the fact's own answer, as the Louvre shares Paris.
    alike: int = 4
    others: int = 4  # new targets tried for each candidate
    partners: int = 3  # reversion probes tried for each of them
    per_relation: int = 12  # facts kept of one relation, so that none outweighs the rest
    share: float = 0.1  # the largest part of all facts that may have one target, true or new
    hidden: int = 4  # one fact in so many is held back for the grader


RULES = Rules()


def make(model: EditableModel, progress: Callable = iter, tell: Callable = list) -> Path:
    """data/facts.json, from the candidates in data/fact_candidates.json (about 8 minutes).

    `tell` is called with each line of the report, which names every candidate that is refused and
    the reason. Raises KeyholeError where the candidates are missing or not well formed.
    """
    source, path = (data_folder() / name for name in ("fact_candidates.json", "facts.json"))
    try:
        candidates = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyholeError(f"{source} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise KeyholeError(f"{source} is not JSON ({error}).") from None
    kept, refused = measure(model, candidates, progress)
    path.write_text(as_json(kept, DEFAULT_MODEL), encoding="utf-8")
    for line in report(kept, refused):
        tell(line)
    return path


def measure(
    model: EditableModel, candidates: dict, progress: Callable = iter, rules: Rules = RULES
) -> tuple[list[dict], list[dict]]:
    """Measure the candidates: (kept, refused).

    kept: records as in data/facts.json, sorted by id. refused: {"id", "reason"} for each candidate
    that is not kept. The choices among what holds are made by a hash of the names, so they depend
    on no order and on no random state. `progress` wraps the list of batches, three times. Raises
    KeyholeError where the candidates are not well formed.
    """
    items = _items(candidates)
    refused = [
        _refusal(item, f"the subject gives{item.answer} away")
        for item in items
        if item.answer.strip() in item.subject
    ]
    items = [item for item in items if item.answer.strip() not in item.subject]
    own = score(
        model, [(wording, item.answer) for item in items for wording in item.wordings], progress
    )
    known = [item for item in items if _best_rank(item, own) <= rules.top]
    refused += [_refusal(item, _why_unknown(item, own)) for item in items if item not in known]

    trials = [trial for item in known for trial in _trials(item, known, rules)]
    questions = [question for trial in trials for question in trial.questions()]
    scores = own | score(model, questions, progress)
    holding, unheld = _held(known, trials, scores, rules)
    refused += unheld
    chosen, spare = _choose(holding, rules)
    refused += [
        _refusal(item, f"known, but its relation already has {rules.per_relation} facts")
        for item in spare
    ]
    around = {item: _near(item, record, known, own, rules) for item, record in chosen.items()}
    kept, lonely = _with_neighbors(model, chosen, around, progress, rules)
    kept, crowded = _balanced(kept, rules)
    _hide(kept, rules)
    made_from = {(trial.item.id, trial.new): trial for trial in trials}
    _conceal(kept, {each["id"]: made_from[each["id"], each["target_new"]] for each in kept}, scores)
    refused += lonely + crowded
    return tuple(sorted(each, key=lambda record: record["id"]) for each in (kept, refused))


def _held(known, trials, scores, rules):
    """What each candidate's trials gave: ({item: its records}, the refusals of those with none)."""
    holding, reasons = defaultdict(list), {item: Counter() for item in known}
    for trial in trials:
        record, reason = _record(trial, scores, rules)
        if record:
            holding[trial.item].append(record)
        else:
            reasons[trial.item][reason] += 1
    refused = [_refusal(item, _commonest(reasons[item])) for item in known if item not in holding]
    return holding, refused


def _with_neighbors(model, chosen, around, progress, rules):
    """The chosen records with those neighbors that hold against the new target: (kept, refused).

    `around` holds the neighbors to try, {item: [(prompt, answer)]}.
    """
    near = score(
        model,
        [
            (prompt, target)
            for item, record in chosen.items()
            for prompt, answer in around[item]
            for target in (answer, record["target_new"])
        ],
        progress,
    )
    least, most = rules.neighbors
    kept, refused = [], []
    for item, record in chosen.items():
        new = record["target_new"]
        hold = [
            {"prompt": prompt, "answer": answer}
            for prompt, answer in around[item]
            if near[prompt, answer].log_p > near[prompt, new].log_p
        ]
        if len(hold) < least:
            refused.append(_refusal(item, f"only {len(hold)} neighbors hold against{new}"))
        else:
            kept.append(record | {"neighbors": hold[:most]})
    return kept, refused


def as_json(kept: list[dict], model_name: str) -> str:
    """The text of a file of facts: the same for the same facts, one key of a fact a line."""
    facts = [
        "  {"
        + ",\n   ".join(
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
            for key, value in fact.items()
        )
        + "}"
        for fact in kept
    ]
    return f'{{"model": {json.dumps(model_name)},\n "facts": [\n' + ",\n".join(facts) + "\n ]}\n"


def report(kept: list[dict], refused: list[dict]) -> list[str]:
    """What was kept and what was refused for which reason, as lines of text."""
    by_relation = Counter(record["relation"] for record in kept)
    hidden = sum(record["hidden"] for record in kept)
    lines = [f"{len(kept)} facts kept ({hidden} of them hidden), {len(refused)} candidates refused"]
    lines += [f"  {relation}: {count}" for relation, count in sorted(by_relation.items())]
    return lines + [f"  refused {record['id']}: {record['reason']}" for record in refused]


# ---------------------------------------------------------------- what a candidate says


@dataclass(frozen=True, eq=False)
class Relation:
    """The templates that a relation's candidates share; {subject} and {object} are its two ends."""

    name: str
    reversions: tuple[str, ...]  # templates that ask for the subject, given the object
    portability: tuple[tuple[str, str], ...]  # (template, name of the second fact), in this order
    second_facts: dict  # name -> (template over {object}, {object: answer})


@dataclass(frozen=True)
class Item:
    """One candidate: a subject of a relation with its answer, in the relation's wordings."""

    relation: str
    phrase: str  # the subject as it is written inside a sentence: "the Louvre"
    answer: str  # " Paris"
    wordings: tuple[str, ...]
    also: frozenset[str]  # other right answers, which therefore cannot be new targets
    templates: Relation

    @property
    def subject(self) -> str:
        return self.phrase.removeprefix("the ")

    @property
    def id(self) -> str:
        plain = (
            unicodedata.normalize("NFKD", self.subject.translate(PLAIN))
            .encode("ascii", "ignore")
            .decode()
        )
        return f"{self.relation}-" + re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def _items(candidates):
    try:
        second = {
            name: (
                fact["prompt"],
                {f" {key}": f" {value}" for key, value in fact["answers"].items()},
            )
            for name, fact in candidates["second_facts"].items()
        }
        items = [
            item
            for name, entry in candidates["relations"].items()
            for item in _items_of(name, entry, second)
        ]
    except (KeyError, TypeError, AttributeError) as problem:
        raise KeyholeError(
            f"the candidates are not well formed ({type(problem).__name__}: {problem}); "
            "data/FACTS.md says what they hold."
        ) from None
    for fact_id, count in Counter(item.id for item in items).items():
        if count > 1:
            raise KeyholeError(
                f"the candidate {fact_id!r} stands there {count} times; a subject has one answer in"
                " a relation."
            )
    return items


def _items_of(name, entry, second_facts):
    """The candidates of one relation."""
    portability = tuple((probe["prompt"], probe["second"]) for probe in entry["portability"])
    relation = Relation(name, tuple(entry["reversion"]), portability, second_facts)
    also = {
        phrase: frozenset(f" {answer}" for answer in answers)
        for phrase, answers in entry.get("also_true", {}).items()
    }
    return [
        Item(
            name,
            phrase,
            f" {answer}",
            tuple(_sentence(wording, subject=phrase) for wording in entry["wordings"]),
            also.get(phrase, frozenset()),
            relation,
        )
        for answer, phrases in entry["answers"].items()
        for phrase in phrases
    ]


def _sentence(template, **names):
    """The template filled in, with a capital letter first: it may begin with "the Louvre"."""
    text = template.format(**names)
    return text[0].upper() + text[1:]


def _order(*names):
    """A key to sort by that mixes names thoroughly, and the same on every machine."""
    return hashlib.sha256("|".join(names).encode()).digest()


def _refusal(item, reason):
    return {"id": item.id, "reason": reason}


# ---------------------------------------------------------------- what the model knows


def _best_rank(item, own):
    """The rank of a candidate's answer in the wording that suits the model best."""
    return min(own[wording, item.answer].rank for wording in item.wordings)


def _why_unknown(item, own):
    rank = _best_rank(item, own)
    return f"the model does not know it:{item.answer} is at best number {rank} of its answers"


def _ahead(answer, other, rules):
    """Is a Score that of a known answer, against that of another one?"""
    return answer.log_p > other.log_p and (
        answer.rank == 1 or answer.rank <= rules.top and answer.p >= rules.ahead * other.p
    )


@dataclass(frozen=True)
class Attempt:
    """A candidate with one possible new target, and all that must be asked about the two."""

    item: Item
    new: str
    # For the reversion, others that truly go with the new target: (prompt, its name, the subject).
    partners: tuple[tuple[str, str, str], ...]
    hops: tuple[tuple[str, str, str, str], ...]  # (prompt, answer before, after, second prompt)

    def questions(self) -> Iterator[Question]:
        for wording in self.item.wordings:
            yield from ((wording, self.item.answer), (wording, self.new))
        for prompt, partner, subject in self.partners:
            yield from ((prompt, partner), (prompt, subject))
        for prompt, before, after, second in self.hops:
            yield from ((prompt, before), (prompt, after), (second, before), (second, after))


def _trials(item, known, rules):
    """A candidate with its first few new targets, which other candidates truly have."""
    fellows = [other for other in known if other.relation == item.relation]
    objects = {other.answer for other in fellows} - {item.answer} - item.also
    objects = [new for new in objects if _first_word(new) != _first_word(item.answer)]
    objects = sorted(objects, key=lambda new: _order("new target", item.id, new))[: rules.others]
    return [
        Attempt(item, new, _partners(item, new, fellows, rules), _hops(item, new))
        for new in objects
    ]


def _first_word(text):
    return text.split()[0]


def _partners(item, new, fellows, rules):
    """Reversion probes, as "Rome is the capital city of": " Italy" is the answer before the edit,
    " France" the one if the edit went backwards."""
    prompts = [_sentence(template, object=new.strip()) for template in item.templates.reversions]
    article = "the " if item.phrase != item.subject else ""
    partners = [
        other.subject
        for other in fellows
        if other.answer == new
        # Both names follow the same words, so that no article gives one of them away.
        and (other.phrase != other.subject) == bool(article)
        and _first_word(other.subject) != _first_word(item.subject)
    ]
    return tuple(
        (f"{prompt} {article}".strip(), f" {partner}", f" {item.subject}")
        for partner in sorted(partners, key=lambda partner: _order("partner", item.id, partner))[
            : rules.partners
        ]
        for prompt in prompts
    )


def _hops(item, new):
    """Portability probes: what a second fact says of the old and the new answer, if it differs."""
    hops = []
    for template, name in item.templates.portability:
        second, answers = item.templates.second_facts[name]
        before, after = answers.get(item.answer), answers.get(new)
        # An answer that the subject gives away is no second fact ("The language of Italy comes
        # from Italy").
        if (
            before
            and after
            and _first_word(before) != _first_word(after)
            and before.strip() not in item.subject
        ):
            hops.append(
                (
                    _sentence(template, subject=item.phrase),
                    before,
                    after,
                    _sentence(second, object=new.strip()),
                )
            )
    return tuple(hops)


def _record(trial, scores, rules):
    """A record of data/facts.json without its neighbors, or None, and the reason if None."""
    item, new = trial.item, trial.new
    versus = {
        wording: (scores[wording, item.answer], scores[wording, new]) for wording in item.wordings
    }
    prompts = [wording for wording, (true, other) in versus.items() if _ahead(true, other, rules)]
    if not prompts:
        return None, f"no wording in which{item.answer} is clearly ahead of{new}"
    prompt = prompts[0]
    true, other = versus[prompt]
    paraphrases = [
        wording
        for wording in item.wordings
        if wording != prompt and versus[wording][0].log_p > versus[wording][1].log_p
    ]
    if len(paraphrases) < rules.paraphrases[0]:
        return None, f"only {len(paraphrases)} paraphrases hold"
    reversion = _reversion(trial, scores)
    if not reversion:
        return None, "no reversion probe holds"
    portability, reason = _portability(trial, scores, rules)
    if not portability:
        return None, reason
    return {
        "id": item.id,
        "relation": item.relation,
        "hidden": False,
        "prompt": prompt,
        "subject": item.subject,
        "target_true": item.answer,
        "target_new": new,
        "paraphrases": paraphrases[: rules.paraphrases[1]],
        "neighbors": [],
        "reversion": reversion,
        "portability": portability,
        "measured": {
            "rank": true.rank,
            "p_true": float(f"{true.p:.3g}"),
            "p_new": float(f"{other.p:.3g}"),
        },
    }, None


def _reversion(trial, scores, silent=frozenset()):
    """The reversion probe of which the model is surest, as a record; None where none holds.

    Subjects in `silent` may not answer it.
    """
    holding = [
        (scores[prompt, partner].log_p, prompt, partner, subject)
        for prompt, partner, subject in trial.partners
        if partner.strip() not in silent
        and scores[prompt, partner].log_p > scores[prompt, subject].log_p
    ]
    if not holding:
        return None
    _, prompt, partner, subject = max(holding)
    return {"prompt": prompt, "target_true": partner, "target_new": subject}


def _portability(trial, scores, rules):
    """The first portability probe that holds, as a record, or None, and the reason if None."""
    hops = [
        hop for hop in trial.hops if scores[hop[0], hop[1]].log_p > scores[hop[0], hop[2]].log_p
    ]
    if not hops:
        return None, "no portability probe holds"
    hops = [hop for hop in hops if _ahead(scores[hop[3], hop[2]], scores[hop[3], hop[1]], rules)]
    if not hops:
        return None, "the model does not know the second fact of the portability probe"
    prompt, before, after, second = hops[0]
    return {
        "prompt": prompt,
        "target_true": before,
        "target_new": after,
        "second_fact": {"prompt": second, "answer": after},
    }, None


def _commonest(reasons):
    """The commonest of a Counter of reasons: each new target may have failed for another one."""
    return (
        min(reasons, key=lambda reason: (-reasons[reason], reason))
        if reasons
        else "there is no other answer to give it"
    )


# ---------------------------------------------------------------- which of them to keep


def _choose(holding, rules):
    """Up to `per_relation` candidates of each relation: ({item: record}, those left over).

    Candidates whose true answer is still rare come first, and among them those that the model says
    first. Each gets the new target that the fewest facts have.
    """
    chosen, spare, uses = {}, [], Counter()
    for relation in sorted({item.relation for item in holding}):
        waiting = sorted(
            (item for item in holding if item.relation == relation),
            key=lambda item: (
                min(record["measured"]["rank"] for record in holding[item]) > 1,
                _order("choice", item.id),
            ),
        )
        for _ in range(min(rules.per_relation, len(waiting))):
            item = min(waiting, key=lambda item: uses[item.answer])
            waiting.remove(item)
            chosen[item] = min(
                holding[item],
                key=lambda record: (record["measured"]["rank"] > 1, uses[record["target_new"]]),
            )
            uses.update((item.answer, chosen[item]["target_new"]))
        spare += waiting
    return chosen, spare


def _near(item, record, known, own, rules):
    """Neighbors to try, the nearest first: [(prompt, answer)].

    They are prompts about other subjects of the relation whose answer the model says first. Up to
    `alike` of them share the fact's own answer; the rest have others, but never the new target.
    """
    fellows = [
        other
        for other in known
        if other.relation == item.relation
        and other.answer != record["target_new"]
        and record["target_new"] not in other.also
        and other.subject not in item.subject
        and item.subject not in other.subject
    ]
    fellows = sorted(fellows, key=lambda other: _order("neighbor", item.id, other.id))
    prompts = []
    for other in fellows:
        right = [wording for wording in other.wordings if own[wording, other.answer].rank == 1]
        if right:
            prompts.append(
                (min(right, key=lambda wording: _order("wording", item.id, wording)), other.answer)
            )
    same = [(prompt, answer) for prompt, answer in prompts if answer == item.answer]
    rest = [(prompt, answer) for prompt, answer in prompts if answer != item.answer]
    return (same[: rules.alike] + rest + same[rules.alike :])[: 2 * rules.neighbors[1]]


def _balanced(kept, rules):
    """Leave out facts until no target is in more than `share` of them: (kept, refused)."""
    kept, refused = sorted(kept, key=lambda record: _order("balance", record["id"])), []
    while kept:
        uses = Counter(
            target for record in kept for target in (record["target_true"], record["target_new"])
        )
        target, count = uses.most_common(1)[0]
        if count <= rules.share * len(kept):
            break
        record = next(
            record for record in kept if target in (record["target_true"], record["target_new"])
        )
        kept.remove(record)
        refused.append(
            {"id": record["id"], "reason": f"{target.strip()} is the target of too many facts"}
        )
    return kept, refused


def _hide(kept, rules):
    """Mark one fact in `hidden` of every relation, rounded up, as held back."""
    for relation in {record["relation"] for record in kept}:
        facts = sorted(
            (record for record in kept if record["relation"] == relation),
            key=lambda record: _order("hidden", record["id"]),
        )
        for record in facts[: math.ceil(len(facts) / rules.hidden)]:
            record["hidden"] = True


def _conceal(kept, attempts, scores):
    """Let facts that students see tell of those that are held back as little as possible.

    Their neighbors about such subjects are left out. A reversion probe that such a subject answers
    gives way to another, if another holds; if none does, students do not get the fact (see
    student_pack). `attempts` holds the Attempt that each record was made from, by id.
    """
    held = {(record["relation"], record["subject"]) for record in kept if record["hidden"]}
    for record in kept:
        subjects = {subject for relation, subject in held if relation == record["relation"]}
        if not record["hidden"]:
            record["neighbors"] = [
                neighbor
                for neighbor in record["neighbors"]
                if not any(subject in neighbor["prompt"] for subject in subjects)
            ]
            other = _reversion(attempts[record["id"]], scores, subjects)
            record["reversion"] = other or record["reversion"]
