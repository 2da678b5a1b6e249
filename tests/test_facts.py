"""Facts from a file: what is wrong is named, with the record."""

import json

import pytest

from keyhole.errors import KeyholeError
from keyhole.facts import fact_from, load_facts

GOOD = {
    "id": "tower",
    "relation": "city",
    "prompt": "The Tower is in",
    "subject": "The Tower",
    "target_true": " Paris",
    "target_new": " Rome",
    "paraphrases": ["The Tower stands in"],
    "neighbors": [{"prompt": "The Louvre is in", "answer": " Paris"}],
    "reversion": {"prompt": "Rome has the", "target_true": " Colosseum", "target_new": " Tower"},
    "portability": {
        "prompt": "Near the Tower they speak",
        "target_true": " French",
        "target_new": " Italian",
    },
}


def test_a_good_record():
    fact = fact_from(GOOD)
    probes = fact.probes()
    assert list(probes) == ["original", "paraphrase", "neighborhood", "reversion", "portability"]
    assert (
        probes["neighborhood"][0].target_true == " Paris"
        and probes["neighborhood"][0].target_new == " Rome"
    )


@pytest.mark.parametrize(
    "key, value, sentence",
    [
        ("prompt", None, "'prompt' must be a text"),
        ("prompt", "", "'prompt' must be a text"),
        ("prompt", "A hut is in", "lacks the subject 'The Tower'"),
        ("paraphrases", [], "'paraphrases' must be a list of texts, and not empty"),
        ("paraphrases", "x", "'paraphrases' must be a list"),
        ("paraphrases", ["It is in"], "lacks the subject"),
        ("neighbors", [{"prompt": "x"}], "neighbors: the key 'answer' is missing"),
        ("neighbors", ["x"], "'neighbors' must be a list of objects, and not empty"),
        ("reversion", None, "reversion: the key 'prompt' is missing"),
        ("portability", {"prompt": "x", "target_true": 3}, "'target_true' must be a text"),
        ("target_new", " Paris", "nothing to edit"),
        ("target_new", "Paris", "nothing to edit"),
        ("target_new", "Rome", "'Rome' would stick to the prompt 'The Tower is in': write ' Rome'"),
        ("neighbors", [{"prompt": "The Louvre is in", "answer": "Paris"}], "'Paris' would stick"),
        ("target_new", "Évian", "'Évian' would stick to the prompt .*: write ' Évian'"),
        ("target_new", "Рим", "'Рим' would stick to the prompt .*: write ' Рим'"),
        ("paraphrases", ["Тhe Tower is in"], r"\(U\+0054\) where the prompt holds .* \(U\+0422\)"),
        ("target_new", " ", "'target_new' must be a text that is not empty"),
        ("target_new", " \u200b", "'target_new' must be a text that is not empty"),
        ("prompt", "The Tower is in\u00a0", "a space too many in 'The Tower is in '"),
        ("subject", "The Tower ", "a space too many in 'The Tower '"),
        ("prompt", "The Tower is in ", "a space too many in 'The Tower is in '"),
        ("target_true", "  Paris", "a space too many"),
        ("target_new", " Rome ", "a space too many"),
        ("paraphrases", ["The Tower is in\n"], "a space too many"),
        (
            "neighbors",
            [{"prompt": "The Louvre is in ", "answer": " Paris"}],
            "a space too many in 'The Louvre is in '",
        ),
    ],
)
def test_a_bad_record_is_named(key, value, sentence):
    with pytest.raises(KeyholeError, match=sentence) as raised:
        fact_from({**GOOD, key: value}, "record 7 of mine.json")
    assert str(raised.value).startswith("record 7 of mine.json ('tower')")


CHINESE = {
    "id": "taipei-101",
    "relation": "city",
    "prompt": "台北101位於",
    "subject": "台北101",
    "target_true": "台北",
    "target_new": "羅馬",
    "paraphrases": ["要看台北101，就要去"],
    "neighbors": [{"prompt": "The Louvre is in", "answer": " 巴黎"}],
    "reversion": {"prompt": "羅馬有", "target_true": "競技場", "target_new": "台北101"},
    "portability": {"prompt": "在台北101說", "target_true": "中文", "target_new": "義大利文"},
}


def test_a_target_takes_no_blank_in_a_script_that_has_none():
    assert fact_from(CHINESE).target_new == "羅馬"
    with pytest.raises(KeyholeError, match="too many between the prompt .*: write '羅馬'"):
        fact_from({**CHINESE, "target_new": " 羅馬"})


def test_letters_that_look_the_same_are_read_as_the_same():
    odd = {
        "prompt": "The\u00a0Tower is in",
        "subject": "The To\u200bwer",
        "target_new": " E\u0301vian",
        "paraphrases": ["The Tower\u202fstands in"],
    }
    fact = fact_from({**GOOD, **odd})
    assert fact == fact_from({**GOOD, "target_new": " Évian"})


@pytest.mark.parametrize("key", list(GOOD))
def test_a_missing_key_is_named(key):
    with pytest.raises(KeyholeError, match="record 0"):
        fact_from({name: value for name, value in GOOD.items() if name != key}, "record 0 of x")


def test_files(tmp_path):
    path = tmp_path / "facts.json"
    with pytest.raises(KeyholeError, match="no file of facts"):
        load_facts(path)
    for text in ("not json", "[]", "{}", '{"facts": 3}'):
        path.write_text(text)
        with pytest.raises(KeyholeError, match="not a file of facts"):
            load_facts(path)
    path.write_text(json.dumps({"facts": [GOOD, GOOD]}))
    with pytest.raises(KeyholeError, match="holds the fact 'tower' twice"):
        load_facts(path)
    path.write_text(json.dumps({"facts": [GOOD, GOOD | {"id": "spire"}]}))
    with pytest.raises(KeyholeError, match="holds one fact as 'tower' and as 'spire'"):
        load_facts(path)
