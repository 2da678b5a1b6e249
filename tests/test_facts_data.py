"""data/facts.json is what its card says, and the model still agrees with it."""

import json
import math
from collections import Counter

import pytest

from autograder.cli import main
from autograder.making import facts as measure_facts
from autograder.making.facts import RULES, measure, report
from keyhole import models
from keyhole.errors import KeyholeError
from keyhole.facts import load_facts
from keyhole.paths import data_folder
from keyhole.probes import Score, score
from tests.test_facts import GOOD

FACTS = load_facts()
RECORDS = json.loads((data_folder() / "facts.json").read_text(encoding="utf-8"))["facts"]


def by_id(record):
    return record["id"]


def test_there_are_enough_facts_over_enough_relations():
    relations = Counter(fact.relation for fact in FACTS)
    assert len(FACTS) >= 120 and len(relations) >= 8
    assert min(relations.values()) >= 5


def test_a_part_of_every_relation_is_held_back():
    hidden = [fact for fact in FACTS if fact.hidden]
    assert len(hidden) >= 30 and len(FACTS) - len(hidden) >= 40
    assert {fact.relation for fact in hidden} == {fact.relation for fact in FACTS}
    assert 0.2 <= len(hidden) / len(FACTS) <= 0.35


def test_no_target_is_in_more_than_a_tenth_of_the_facts():
    uses = Counter(target for fact in FACTS for target in (fact.target_true, fact.target_new))
    target, count = uses.most_common(1)[0]
    assert count <= RULES.share * len(FACTS), target


def test_nothing_stands_there_twice():
    assert len({fact.id for fact in FACTS}) == len(FACTS)
    assert len({fact.prompt for fact in FACTS}) == len(FACTS)
    assert [fact.id for fact in FACTS] == sorted(fact.id for fact in FACTS)


@pytest.mark.parametrize("record", RECORDS, ids=by_id)
def test_a_fact_is_well_formed(record):
    prompts = [record["prompt"], *record["paraphrases"]]
    neighbors = record["neighbors"]
    asked = (
        prompts
        + [neighbor["prompt"] for neighbor in neighbors]
        + [record[kind]["prompt"] for kind in ("reversion", "portability")]
    )
    targets = [
        record["target_true"],
        record["target_new"],
        *(neighbor["answer"] for neighbor in neighbors),
        record["portability"]["second_fact"]["answer"],
        *(
            record[kind][key]
            for kind in ("reversion", "portability")
            for key in ("target_true", "target_new")
        ),
    ]

    assert all(prompt.count(record["subject"]) == 1 for prompt in prompts)
    assert record["subject"] in record["portability"]["prompt"]
    assert record["subject"] not in record["reversion"]["prompt"]
    assert record["reversion"]["target_new"].strip() == record["subject"]
    assert 2 <= len(record["paraphrases"]) <= 4 and 5 <= len(neighbors) <= 10
    assert len(set(asked)) == len(asked)
    assert not any(record["subject"] in neighbor["prompt"] for neighbor in neighbors)
    assert not any(neighbor["answer"] == record["target_new"] for neighbor in neighbors)
    assert all(
        target.startswith(" ") and not target.startswith("  ") and target == target.rstrip()
        for target in targets
    )
    assert not any(prompt.endswith(" ") for prompt in asked)
    assert record["target_true"].split()[0] != record["target_new"].split()[0]
    assert record["portability"]["second_fact"]["answer"] == record["portability"]["target_new"]


@pytest.mark.parametrize("record", RECORDS, ids=by_id)
def test_a_fact_was_measured_as_known(record):
    seen = record["measured"]
    assert 0 <= seen["p_new"] < seen["p_true"] <= 1
    assert (
        seen["rank"] == 1
        or seen["rank"] <= RULES.top
        and seen["p_true"] >= RULES.ahead * seen["p_new"]
    )


# The measuring itself, with a model that is a table


class Table:
    """Stands for `score`: what a made-up model says, {(prompt, target): (rank, probability)}.

    Everything else is unlikely.
    """

    def __init__(self, answers):
        self.answers = answers

    def __call__(self, model, questions, progress=iter):
        said = {question: self.answers.get(question, (100, 1e-4)) for question in questions}
        return {question: Score(rank, math.log(p)) for question, (rank, p) in said.items()}


PAIRS = {
    "France": "Paris",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Peru": "Lima",
    "Cuba": "Havana",
}
SPEAK = {
    "Paris": "French",
    "Rome": "Italian",
    "Madrid": "Spanish",
    "Tokyo": "Japanese",
    "Cairo": "Arabic",
    "Lima": "Spanish",
    "Havana": "Spanish",
}
WORDINGS = [
    "{subject} has the capital",
    "the capital of {subject} is",
    "who rules {subject} sits in",
]
CANDIDATES = {
    "second_facts": {"language": {"prompt": "in {object} they speak", "answers": SPEAK}},
    "relations": {
        "capital": {
            "wordings": WORDINGS,
            "reversion": ["{object} is the capital of"],
            "portability": [
                {"prompt": "in the capital of {subject} they speak", "second": "language"}
            ],
            "answers": {city: [country] for country, city in PAIRS.items()},
        }
    },
}


def all_known():
    answers = {}
    for country, city in PAIRS.items():
        for wording in WORDINGS:
            answers[measure_facts._sentence(wording, subject=country), f" {city}"] = (1, 0.5)
        answers[f"{city} is the capital of", f" {country}"] = (1, 0.5)
        answers[f"In the capital of {country} they speak", f" {SPEAK[city]}"] = (1, 0.5)
        answers[f"In {city} they speak", f" {SPEAK[city]}"] = (1, 0.5)
    return answers


def measured(monkeypatch, answers, **changes):
    monkeypatch.setattr(measure_facts, "score", Table(answers))
    return measure(None, CANDIDATES, rules=measure_facts.Rules(share=1.0, **changes))


def reason_for_france(monkeypatch, answers):
    kept, refused = measured(monkeypatch, all_known() | answers)
    assert "capital-france" not in [record["id"] for record in kept]
    return next(record["reason"] for record in refused if record["id"] == "capital-france")


def test_what_the_model_knows_is_kept_whatever_the_order(monkeypatch):
    kept, refused = measured(monkeypatch, all_known())
    assert [record["id"] for record in kept] == sorted(
        f"capital-{country.lower()}" for country in PAIRS
    ) and not refused
    turned = {
        **CANDIDATES,
        "relations": {
            "capital": {
                **CANDIDATES["relations"]["capital"],
                "answers": dict(reversed(CANDIDATES["relations"]["capital"]["answers"].items())),
            }
        },
    }
    assert measure(None, turned, rules=measure_facts.Rules(share=1.0)) == (kept, refused)
    assert (
        report(kept, refused)[0]
        == f"7 facts kept ({sum(record['hidden'] for record in kept)} of them hidden), 0 candidates"
        " refused"
    )


def test_a_reversion_probe_that_tells_of_a_fact_held_back_gives_way():
    item = measure_facts.Item("capital", "Peru", " Lima", (), frozenset(), None)
    names = (" Italy", " San Marino")
    partners = tuple(("Rome is the capital of", name, " Peru") for name in names)
    attempt = measure_facts.Attempt(item, " Rome", partners, ())
    scores = {
        ("Rome is the capital of", name): Score(rank, math.log(p))
        for rank, (name, p) in enumerate(((" Italy", 0.5), (" San Marino", 0.1), (" Peru", 0.01)))
    }
    assert measure_facts._reversion(attempt, scores)["target_true"] == " Italy"
    assert measure_facts._reversion(attempt, scores, {"Italy"})["target_true"] == " San Marino"
    records = [
        {"id": "x", "relation": "capital", "subject": "Italy", "hidden": True},
        {
            "id": "capital-peru",
            "relation": "capital",
            "subject": "Peru",
            "hidden": False,
            "neighbors": [{"prompt": "Italy has the capital"}, {"prompt": "Cuba has the capital"}],
            "reversion": measure_facts._reversion(attempt, scores),
        },
    ]
    measure_facts._conceal(records, {"capital-peru": attempt}, scores)
    assert records[1]["reversion"]["target_true"] == " San Marino"
    assert records[1]["neighbors"] == [{"prompt": "Cuba has the capital"}]


def test_a_fact_that_the_model_does_not_know_is_refused(monkeypatch):
    unknown = {
        (measure_facts._sentence(wording, subject="France"), " Paris"): (7, 0.01)
        for wording in WORDINGS
    }
    assert (
        reason_for_france(monkeypatch, unknown)
        == "the model does not know it: Paris is at best number 7 of its answers"
    )


def test_a_fact_without_enough_paraphrases_is_refused(monkeypatch):
    deaf = {
        (measure_facts._sentence(wording, subject="France"), " Paris"): (90, 1e-6)
        for wording in WORDINGS[1:]
    }
    assert reason_for_france(monkeypatch, deaf) == "only 0 paraphrases hold"


def test_a_fact_whose_probes_do_not_hold_before_the_edit_is_refused(monkeypatch):
    backwards = {(f"{city} is the capital of", " France"): (1, 0.9) for city in PAIRS.values()}
    assert reason_for_france(monkeypatch, backwards) == "no reversion probe holds"
    assert (
        reason_for_france(
            monkeypatch, {("In the capital of France they speak", " French"): (90, 1e-6)}
        )
        == "no portability probe holds"
    )


def test_a_second_fact_must_be_known_too(monkeypatch):
    silent = {
        (f"In {city} they speak", f" {language}"): (20, 0.001) for city, language in SPEAK.items()
    }
    assert (
        reason_for_france(monkeypatch, silent)
        == "the model does not know the second fact of the portability probe"
    )


def test_no_relation_outweighs_the_rest(monkeypatch):
    kept, refused = measured(monkeypatch, all_known(), per_relation=3)
    assert len(kept) == 3 and {record["reason"] for record in refused} == {
        "known, but its relation already has 3 facts"
    }


def test_candidates_that_are_not_well_formed_are_named():
    with pytest.raises(KeyholeError, match="not well formed .*second_facts"):
        measure(None, {"relations": {}})
    capital = {
        **CANDIDATES["relations"]["capital"],
        "answers": {"Paris": ["France"], "Rome": ["France"]},
    }
    twice = {**CANDIDATES, "relations": {"capital": capital}}
    with pytest.raises(KeyholeError, match="'capital-france' stands there 2 times"):
        measure(None, twice)


def test_the_command_writes_the_file_and_names_what_was_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KEYHOLE_DATA", str(tmp_path))
    monkeypatch.setattr(models, "load_model", lambda: None)
    monkeypatch.setattr(
        measure_facts,
        "measure",
        lambda *_: ([GOOD | {"hidden": False}], [{"id": "x", "reason": "unknown"}]),
    )
    for text, sentence in ((None, "cannot be read"), ("{", "is not JSON")):
        if text:
            (tmp_path / "fact_candidates.json").write_text(text)
        assert main(["remake", "facts"]) == 1
        assert sentence in capsys.readouterr().err
    (tmp_path / "fact_candidates.json").write_text("{}")
    assert main(["remake", "facts"]) == 0
    assert load_facts()[0].subject == "The Tower"
    out = capsys.readouterr().out
    assert "1 facts kept" in out and "refused x: unknown" in out
    assert f"Made {tmp_path / 'facts.json'}" in out


@pytest.mark.slow
def test_the_model_still_agrees(real_model):
    """Two facts of every relation, asked again: each probe's preference, rank, probability."""
    some = [
        record
        for relation in sorted({record["relation"] for record in RECORDS})
        for record in [record for record in RECORDS if record["relation"] == relation][:2]
    ]
    pairs = {}  # record id -> (prompt, what must win, what must lose)
    for record in some:
        true, new = record["target_true"], record["target_new"]
        pairs[record["id"]] = [
            (prompt, true, new) for prompt in [record["prompt"], *record["paraphrases"]]
        ]
        pairs[record["id"]] += [
            (neighbor["prompt"], neighbor["answer"], new) for neighbor in record["neighbors"]
        ]
        pairs[record["id"]] += [
            (probe["prompt"], probe["target_true"], probe["target_new"])
            for probe in (record["reversion"], record["portability"])
        ]
        second = record["portability"]["second_fact"]
        pairs[record["id"]] += [
            (second["prompt"], second["answer"], record["portability"]["target_true"])
        ]
    scores = score(
        real_model,
        [(prompt, target) for rows in pairs.values() for prompt, *both in rows for target in both],
    )
    for record in some:
        for prompt, wins, loses in pairs[record["id"]]:
            assert scores[prompt, wins].log_p > scores[prompt, loses].log_p, (record["id"], prompt)
        true = scores[record["prompt"], record["target_true"]]
        assert true.rank == record["measured"]["rank"]
        assert true.p == pytest.approx(record["measured"]["p_true"], rel=0.01)
        assert scores[record["prompt"], record["target_new"]].p == pytest.approx(
            record["measured"]["p_new"], rel=0.01
        )
