"""The field's files of facts, in small files written for these tests.

What is right is read, and what is wrong is named with its record.
"""

import json
import warnings

import pytest

from autograder.oracle import metrics
from keyhole.errors import KeyholeError
from keyhole.fact_files import load_counterfact, load_knowedit, load_known, load_zsre, read_facts
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
        ("known", ["prompt"], 3, "'prompt' must be a text"),
        (
            "known",
            ["subject"],
            "The New Mill",
            "the prompt 'The Old Mill stands in the city of' lacks the subject 'The New Mill'",
        ),
        ("known", ["known_id"], True, "'known_id' must be"),
        ("zsre", ["alt"], ..., "the key 'alt' is missing"),
        ("zsre", ["src"], "Where did she study?", "lacks the subject 'Ada Berg'"),
        ("zsre", ["alt"], "", "'alt' must be a text"),
        ("zsre", ["answers"], [3], "'answers' must be a text"),
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
            "locality Forgetfulness: the key 'ground_truth' is missing",
        ),
        ("knowedit", ["locality_prompt"], "Who?", "the key 'locality_ground_truth' is missing"),
        ("knowedit", ["portability_ground_truth"], "x", "'portability_prompt' is missing"),
    ],
)
def test_a_bad_record_is_named(tmp_path, name, where, value, sentence):
    load, record = FORMATS[name]
    with pytest.raises(KeyholeError, match=sentence) as raised:
        load(written(tmp_path, changed(record, where, value)))
    assert str(raised.value).startswith("record 0 of mine.json")


@pytest.mark.parametrize("name", FORMATS)
def test_duplicates_are_named_and_left_out(tmp_path, name):
    load, record = FORMATS[name]
    path = written(tmp_path, record, record)
    with pytest.warns(UserWarning, match="record 1 of mine.json.* is the same fact as record 0"):
        assert len(load(path)) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(load(path, drop_duplicates=True)) == 1


def test_the_same_fact_under_another_number_is_a_duplicate(tmp_path):
    with pytest.warns(
        UserWarning, match=r"record 1 of mine.json \(case_id 4\) is the same fact as record 0"
    ):
        load_counterfact(written(tmp_path, COUNTERFACT, COUNTERFACT | {"case_id": 4}))


@pytest.mark.parametrize("name", FORMATS)
def test_bad_records_are_counted_and_named_and_the_others_load(tmp_path, name):
    load, record = FORMATS[name]
    with pytest.warns(UserWarning) as warned:
        assert len(load(written(tmp_path, {}, record, *[7] * 10), drop_duplicates=True)) == 1
    [said] = [str(each.message) for each in warned]
    assert said.startswith(
        "mine.json: 11 of 12 records cannot be used and are left out (0, 2, 3, 4, 5, 6, 7, 8, …)."
        " The first: record 0 of mine.json"
    )
    assert said.endswith("`keyhole facts mine.json --list` names them all.")
    assert warned[0].filename == __file__  # where the loader was called


def test_nobody_elses_guess_is_taken_for_the_truth(tmp_path):
    """`cond` and `pred` hold what another model said; `answers` what is true."""
    guessed = ZSRE | {"cond": "Yale >> University of Oslo || Which", "pred": "Yale"}
    assert load_zsre(written(tmp_path, guessed))[0].target_true == " Ghent University"
    without = {key: value for key, value in guessed.items() if key != "answers"}
    assert load_zsre(written(tmp_path, without))[0].target_true is None
    bare = {key: value for key, value in ZSRE.items() if key not in ("cond", "pred")}
    assert load_zsre(written(tmp_path, bare))[0].target_true == " Ghent University"


def test_what_nothing_reads_need_not_be_there(tmp_path):
    for name, keys in {
        "counterfact": ("generation_prompts", "attribute_prompts", "pararel_idx"),
        "known": ("template", "prediction", "relation_id"),
    }.items():
        load, record = FORMATS[name]
        [bare] = load(written(tmp_path, {k: v for k, v in record.items() if k not in keys}))
        assert [bare] == load(written(tmp_path, record))


def test_probes_that_stand_flat_are_read(tmp_path):
    bare = {key: KNOWEDIT[key] for key in ("subject", "prompt", "target_new")}
    [one] = load_knowedit(
        written(
            tmp_path,
            bare | {"locality_prompt": "Jan Smit lives in", "locality_ground_truth": "Ghent"},
        )
    )
    assert one.neighbors == (("Jan Smit lives in", " Ghent"),)
    flat = {
        "locality_prompt": ["a is ", "b is"],
        "locality_ground_truth": [["c", "d"], "e"],
        "portability_prompt": ["f is"],
        "portability_ground_truth": "g",
        "rephrase_prompt": ["h is", "i is"],
    }
    [several] = load_knowedit(written(tmp_path, KNOWEDIT | flat))
    assert several.neighbors[2:] == (("a is", " c"), ("b is", " e"))
    assert several.portability[1:] == (("f is", " g"),)
    assert several.paraphrases == ("h is", "i is")
    with pytest.raises(KeyholeError, match="'locality_prompt' and 'locality_ground_truth' must"):
        load_knowedit(written(tmp_path, KNOWEDIT | flat | {"locality_ground_truth": ["c"]}))


def test_every_wording_of_a_locality_question_is_a_probe(tmp_path):
    asked = [{"prompt": ["a is", "b is"], "ground_truth": "c"}]
    [fact] = load_knowedit(written(tmp_path, KNOWEDIT | {"locality": asked}))
    assert fact.neighbors == (("a is", " c"), ("b is", " c"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read(tmp_path, encoding):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([ZSRE]), encoding=encoding)
    assert len(load_zsre(path)) == 1


def test_a_record_on_each_line(tmp_path):
    path = tmp_path / "mine.json"
    lines = [json.dumps(COUNTERFACT, ensure_ascii=False), json.dumps(COUNTERFACT | {"case_id": 4})]
    path.write_text(lines[0] + "\r\n", encoding="utf-8-sig")
    assert len(load_counterfact(path)) == 1  # one record alone
    path.write_text("\n".join([*lines, "", '{"case_id": 5, "requested']), encoding="utf-8")
    facts = read_facts(path)
    assert (facts.format, list(facts.records), facts.count) == ("counterfact", [0], 3)
    assert facts.refused[2].code == "line_no_json"


def test_keys_that_make_no_probe_are_listed(tmp_path):
    unread = {
        "counterfact": {"pararel_idx", "attribute_prompts", "generation_prompts"},
        "known": {"template", "prediction", "relation_id"},
        "zsre": {"pred", "cond", "new"},
        "knowedit": set(),
    }
    for name, (_, record) in FORMATS.items():
        more = record | {"new": 1} if name == "zsre" else record
        assert read_facts(written(tmp_path, more, 7)).unread == dict.fromkeys(unread[name], 1)


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "is not a zsRE file"),
        ("{}", "must hold a list of records, not dict"),
        ("[3]", "record 0 of mine.json is not an object but int"),
        ('[{"subject": "a"},\n{"subject": "b"}', "is not a zsRE file"),
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


@pytest.mark.parametrize("format_name", FORMATS)
def test_letters_that_look_the_same_are_read_as_the_same(tmp_path, format_name):
    load, record = FORMATS[format_name]

    def odd(value):
        if isinstance(value, dict):
            return {key: odd(each) for key, each in value.items()}
        if isinstance(value, list):
            return [odd(each) for each in value]
        if not isinstance(value, str):
            return value
        return value.replace(" ", "\u00a0").replace("e", "e\u200b") + "\u200b"

    assert load(written(tmp_path, odd(record))) == load(written(tmp_path, record))


def test_a_chinese_target_gets_no_blank_and_a_subject_loses_those_around_it(tmp_path):
    record = changed(KNOWN, ["attribute"], " 根特")
    [fact] = load_known(written(tmp_path, changed(record, ["subject"], "The Old Mill ")))
    assert (fact.target_true, fact.subject) == ("根特", "The Old Mill")


def test_a_subject_that_only_looks_like_that_of_the_prompt_is_told(tmp_path):
    path = written(tmp_path, changed(KNOWN, ["subject"], "Тhe Old Mill"))
    with pytest.raises(KeyholeError, match="holds “cyrillic capital letter te” .U.0422"):
        load_known(path)


@pytest.mark.parametrize("question", ["誰蓋了磨坊？", "من بنى المطحنة؟"])
def test_a_question_mark_of_another_script_is_one(tmp_path, question):
    [fact] = load_zsre(written(tmp_path, changed(ZSRE, ["loc"], question)))
    assert fact.neighbors[0][0] == question
