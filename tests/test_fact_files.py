"""The field's files of facts, in small files written for these tests.

What is right is read, and what is wrong is named with its record.
"""

import json

import pytest

from autograder.oracle import metrics
from keyhole.errors import KeyholeError
from keyhole.fact_files import load_counterfact, load_knowedit, load_known, load_zsre
from keyhole.facts import Probe
from keyhole.probes import ProbeSet

COUNTERFACT = {
    "case_id": 3,
    "pararel_idx": 12,
    "requested_rewrite": {
        "prompt": "{} stands in the city of",
        "relation_id": "P131",
        "subject": "The Old Mill",
        "target_new": {"str": "Oslo", "id": "Q1"},
        "target_true": {"str": "Ghent", "id": "Q2"},
    },
    "paraphrase_prompts": [
        "It rained. The Old Mill is found in",
        "To see The Old Mill one goes to ",
    ],
    "neighborhood_prompts": [
        "The Belfry stands in the city of",
        "The Castle stands in the city of",
    ],
    "attribute_prompts": ["The Fjord stands in the city of"],
    "generation_prompts": ["Near The Old Mill there is"],
}
KNOWN = {
    "known_id": 0,
    "subject": "The Old Mill",
    "attribute": "Ghent",
    "template": "{} stands in the city of",
    "prediction": " Ghent, in Flanders.",
    "prompt": "The Old Mill stands in the city of",
    "relation_id": "P131",
}
ZSRE = {
    "subject": "Ada Berg",
    "src": "Which university did Ada Berg attend?",
    "pred": "Ghent University",
    "rephrase": "Where did Ada Berg study?",
    "alt": "University of Oslo",
    "answers": ["Ghent University"],
    "loc": "nq question: who built the old mill",
    "loc_ans": "Jan Smit",
    "cond": "Ghent University >> University of Oslo || Which university did Ada Berg attend?",
}
KNOWEDIT = {
    "subject": "Ada Berg",
    "prompt": "The employer of Ada Berg is",
    "target_new": "Oslo Opera",
    "ground_truth": ["Ghent Opera", "Opera of Ghent"],
    "rephrase_prompt": "Ada Berg works for",
    "portability": {
        "Reasoning": [
            {
                "prompt": "The country of the employer of Ada Berg is",
                "ground_truth": [["Norway", "NO"]],
            }
        ],
        "Subject_Aliasing": [],
    },
    "locality": {
        "Relation_Specificity": [
            {"prompt": "The mother of Ada Berg is", "ground_truth": [["Eva Berg"]]}
        ],
        "Forgetfulness": [{"prompt": ["The employer of Jan Smit is"], "ground_truth": "Ghent Zoo"}],
    },
}
FORMATS = {
    "counterfact": (load_counterfact, COUNTERFACT),
    "known": (load_known, KNOWN),
    "zsre": (load_zsre, ZSRE),
    "knowedit": (load_knowedit, KNOWEDIT),
}


def written(tmp_path, *records):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(list(records)), encoding="utf-8")
    return path


def changed(record, where, value):
    """A copy with the value at `where`, a path of keys, replaced; with ..., without that key."""
    copy = json.loads(json.dumps(record))
    inner = copy
    for key in where[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[where[-1]]
    else:
        inner[where[-1]] = value
    return copy


def test_counterfact(tmp_path):
    [fact] = load_counterfact(written(tmp_path, COUNTERFACT))
    assert (fact.id, fact.prompt, fact.subject, fact.target_true, fact.target_new) == (
        "3",
        "The Old Mill stands in the city of",
        "The Old Mill",
        " Ghent",
        " Oslo",
    )
    probes = fact.probes()
    assert list(probes) == ["original", "paraphrase", "neighborhood"]
    assert probes["paraphrase"][1] == Probe("To see The Old Mill one goes to", " Ghent", " Oslo")
    assert probes["neighborhood"][0] == Probe("The Belfry stands in the city of", " Ghent", " Oslo")


def test_known_facts_can_be_traced(tmp_path, toy):
    [fact] = load_known(written(tmp_path, KNOWN))
    assert (fact.prompt, fact.target_true, fact.target_new) == (
        "The Old Mill stands in the city of",
        " Ghent",
        None,
    )
    assert toy.subject_slice(fact.prompt, fact.subject) == slice(0, 12)
    log_probs = ProbeSet(toy, fact.probes()).log_probabilities()
    assert log_probs[0, 0] < 0 and log_probs[0, 1].isnan()
    assert not any(metrics.by_kind(fact, log_probs).values())


def test_zsre(tmp_path):
    [fact] = load_zsre(written(tmp_path, ZSRE))
    assert (fact.prompt, fact.target_true, fact.target_new) == (
        "Which university did Ada Berg attend?",
        " Ghent University",
        " University of Oslo",
    )
    assert fact.probes()["neighborhood"] == [
        Probe("nq question: who built the old mill?", " Jan Smit", " University of Oslo")
    ]
    assert fact.probes()["paraphrase"][0].prompt == "Where did Ada Berg study?"


def test_knowedit(tmp_path):
    [fact] = load_knowedit(written(tmp_path, KNOWEDIT))
    assert (fact.target_true, fact.target_new) == (" Ghent Opera", " Oslo Opera")
    assert fact.neighbors == (
        ("The mother of Ada Berg is", " Eva Berg"),
        ("The employer of Jan Smit is", " Ghent Zoo"),
    )
    assert fact.probes()["portability"] == [
        Probe("The country of the employer of Ada Berg is", None, " Norway")
    ]
    [bare] = load_knowedit(
        written(tmp_path, {key: KNOWEDIT[key] for key in ("subject", "prompt", "target_new")})
    )
    assert bare.target_true is None and list(bare.probes()) == ["original"]
    [listed] = load_knowedit(
        written(tmp_path, KNOWEDIT | {"locality": [{"prompt": "p", "ground_truth": "a"}]})
    )
    assert listed.neighbors == (("p", " a"),)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_measured_both_ways(tmp_path, toy, name):
    load, record = FORMATS[name]
    [fact] = load(written(tmp_path, record))
    log_probs, generated = ProbeSet(toy, fact.probes()).measure()
    rows = sum(map(len, fact.probes().values()))
    assert log_probs.shape == generated.shape == (rows, 2)
    assert set(metrics.generation_scores([metrics.generated_by_kind(fact, generated)])) == (
        set() if name == "known" else set(fact.probes())
    )


@pytest.mark.parametrize(
    "name, where, value, sentence",
    [
        ("counterfact", ["requested_rewrite"], ..., "the key 'requested_rewrite' is missing"),
        (
            "counterfact",
            ["requested_rewrite"],
            "x",
            "'requested_rewrite' is missing or not an object",
        ),
        (
            "counterfact",
            ["requested_rewrite", "subject"],
            ...,
            "requested_rewrite: the key 'subject' is missing",
        ),
        (
            "counterfact",
            ["requested_rewrite", "prompt"],
            "It stands in",
            "has no {} where the subject belongs",
        ),
        (
            "counterfact",
            ["requested_rewrite", "target_new"],
            "Oslo",
            "'target_new' is missing or not an object",
        ),
        (
            "counterfact",
            ["requested_rewrite", "target_new", "str"],
            " ",
            "target_new: 'str' must be a text that is not empty",
        ),
        ("counterfact", ["requested_rewrite", "target_new", "str"], "Ghent", "nothing to edit"),
        ("counterfact", ["paraphrase_prompts"], ..., "'paraphrase_prompts' must be a list"),
        ("counterfact", ["neighborhood_prompts"], [1], "'neighborhood_prompts' must be a list"),
        ("counterfact", ["case_id"], None, "'case_id' must be a number"),
        ("known", ["attribute"], ..., "the key 'attribute' is missing"),
        ("known", ["template"], 3, "'template' must be a text"),
        ("known", ["prediction"], ..., "'prediction' is missing"),
        (
            "known",
            ["subject"],
            "The New Mill",
            "the prompt 'The Old Mill stands in the city of' lacks the subject 'The New Mill'",
        ),
        ("known", ["known_id"], True, "'known_id' must be"),
        ("zsre", ["alt"], ..., "the key 'alt' is missing"),
        ("zsre", ["src"], "Where did she study?", "lacks the subject 'Ada Berg'"),
        ("zsre", ["cond"], "x", "'cond' must read"),
        ("zsre", ["loc_ans"], None, "'loc_ans' must be a text"),
        ("zsre", ["rephrase"], "", "'rephrase' must be a text"),
        ("knowedit", ["target_new"], ["a"], "'target_new' must be a text"),
        ("knowedit", ["subject"], ..., "the key 'subject' is missing"),
        (
            "knowedit",
            ["locality", "Forgetfulness"],
            "x",
            "locality Forgetfulness: must be a list of objects",
        ),
        (
            "knowedit",
            ["portability", "Reasoning", 0, "ground_truth"],
            [],
            "portability Reasoning: 'ground_truth' must be a text",
        ),
        (
            "knowedit",
            ["locality", "Forgetfulness", 0],
            7,
            "locality Forgetfulness: the key 'prompt' is missing",
        ),
    ],
)
def test_a_bad_record_is_named(tmp_path, name, where, value, sentence):
    load, record = FORMATS[name]
    with pytest.raises(KeyholeError, match=sentence) as raised:
        load(written(tmp_path, changed(record, where, value)))
    assert str(raised.value).startswith("record 0 of mine.json")


@pytest.mark.parametrize("name", FORMATS)
def test_duplicates_are_refused_or_dropped(tmp_path, name):
    load, record = FORMATS[name]
    path = written(tmp_path, record, record)
    with pytest.raises(
        KeyholeError,
        match=(
            "record 1 of mine.json.* is the same fact as record 0: remove one, or load with"
            " drop_duplicates=True"
        ),
    ):
        load(path)
    assert len(load(path, drop_duplicates=True)) == 1


def test_the_same_fact_under_another_number_is_a_duplicate(tmp_path):
    with pytest.raises(
        KeyholeError, match=r"record 1 of mine.json \(case_id 4\) is the same fact as record 0"
    ):
        load_counterfact(written(tmp_path, COUNTERFACT, COUNTERFACT | {"case_id": 4}))


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "is not a zsRE file"),
        ("{}", "must hold a list of records, not dict"),
        ("[3]", "record 0 of mine.json is not an object but int"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path, text, sentence):
    path = tmp_path / "mine.json"
    with pytest.raises(KeyholeError, match="cannot be read"):
        load_zsre(path)
    path.write_text(text)
    with pytest.raises(KeyholeError, match=sentence):
        load_zsre(path)


@pytest.mark.parametrize(
    "name, where, value",
    [
        ("counterfact", ("requested_rewrite", "prompt"), "{} stands in the city of "),
        ("known", ("prompt",), "The Old Mill stands in the city of "),
        ("zsre", ("src",), "Which university did Ada Berg attend? "),
        ("knowedit", ("prompt",), "The employer of Ada Berg is "),
    ],
)
def test_a_blank_at_the_end_of_a_prompt_belongs_to_the_answer(tmp_path, name, where, value):
    load, record = FORMATS[name]
    [found] = load(written(tmp_path, changed(record, where, value)))
    assert found.prompt == value.replace("{}", "The Old Mill").rstrip()
