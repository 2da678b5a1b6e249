"""The student's own fact: its files are read safely, and wrong ones lose what they should."""

import json
import os
import pickle
import struct
import time
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save

from autograder.hidden.own_fact import TESTS
from autograder.result import Result
from autograder.submissions.copies import STAFF, likely_copies, own_work, with_note
from autograder.validity import catalogue
from autograder.validity.catalogue.own_fact import KINDS, Files, change, false_claim
from keyhole.checking import own_fact
from keyhole.checking.checks import CheckFailed
from keyhole.checking.own_fact import (
    EDIT_FILE,
    EXAMPLES,
    FACT_FILE,
    check_files,
    examine_files,
    read_edit,
    read_fact,
    told_in_handout,
)
from keyhole.cli import main
from keyhole.errors import KeyholeError
from keyhole.facts import fact_from, load_facts
from keyhole.moments import DEFAULT_LAYER
from tests.standins import OfFiles, feedback

SHAPE = (576, 1536)
CASES = {test.id.partition(".")[2]: test for test in TESTS}
ALL = set(CASES)
WRONG, RIGHT = (
    {solution.name: solution for solution in solutions if solution.files}
    for solutions in (catalogue.WRONG, catalogue.RIGHT)
)


MEASURED = {}


@pytest.fixture
def measured_once(monkeypatch):
    """The grader and `check_files` measure the same change, most of them of the same fact."""
    measure, known = own_fact.measure, own_fact.known

    def kept(key, make):
        if key not in MEASURED:
            MEASURED[key] = make()
        return MEASURED[key]

    def measured(model, own, change):
        key = model, own.layer, own.fact, change.numpy().tobytes()
        return kept(key, lambda: measure(model, own, change))

    def known_alone(model, fact, before=None):
        if before:
            return known(model, fact, before)
        return kept((model, fact), lambda: known(model, fact))

    monkeypatch.setattr(own_fact, "measure", measured)
    monkeypatch.setattr(own_fact, "known", known_alone)


def graded(folder, model):
    """{case: Verdict} as the grader finds it."""
    trial = OfFiles(folder, model)
    return {name: test.run(trial) for name, test in CASES.items()}


def failed(found):
    return {name for name, outcome in found.items() if not outcome.passed}


# ---------------------------------------------------------------- files that cannot be used


def header(entries, body=b""):
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + body


def deep(levels=100_000):
    return b"[" * levels + b"]" * levels


FACTS = {
    "absent": (None, "no my_fact.json"),
    "empty": (b"", "not valid JSON"),
    "a list": (b"[]", "lacks layer, fact and measured"),
    "deep": (deep(), "not valid JSON"),
    "deep inside": (b'{"layer": ' + deep(400) + b', "fact": {}, "measured": []}', "my_fact.json"),
    "not text": (b"\xff\xfe\x00{", "not valid JSON"),
    "too large": (b" " * (2**20 + 1), "and the limit is 1 MB"),
    "no fact": (lambda r: r.pop("fact"), "lacks fact"),
    "no claims": (lambda r: r.pop("measured"), "lacks measured"),
    "another layer": (
        lambda r: change(r, "layer", to=8),
        "says layer 8; hand in an edit of layer 5",
    ),
    "layer true": (
        lambda r: change(r, "layer", to=True),
        '"layer": true, which is not a whole number',
    ),
    "layer as a text": (
        lambda r: change(r, "layer", to="5"),
        'has "layer": "5", which is not a whole number',
    ),
    "key missing": (lambda r: r["fact"].pop("target_true"), "'target_true' is missing"),
    "key of another type": (
        lambda r: change(r, "fact", "subject", to=7),
        "'subject' must be a text",
    ),
    "no neighbors": (lambda r: change(r, "fact", "neighbors", to=[]), "'neighbors' must be a list"),
    "subject not in prompt": (
        lambda r: change(r, "fact", "subject", to="Louvre"),
        "lacks the subject 'Louvre'",
    ),
    "a target that sticks to its prompt": (
        lambda r: change(r, "fact", "target_new", to="Évian"),
        "'Évian' would stick to the prompt",
    ),
    "same targets": (
        lambda r: change(r, "fact", "target_new", to=" Barcelona "),
        "nothing to edit",
    ),
    "half a character": (lambda r: change(r, "fact", "target_new", to="\ud800"), "not valid JSON"),
    "many probes": (
        lambda r: change(r, "fact", "paraphrases", to=["See the Sagrada Familia in"] * 40),
        "and the limit is 30",
    ),
    "a long prompt": (
        lambda r: change(r, "fact", "prompt", to="so " * 200 + r["fact"]["prompt"]),
        "more than 400 characters",
    ),
    "claims no list": (lambda r: change(r, "measured", to={}), "it is not a list"),
    "a claim of another type": (
        lambda r: change(r, "measured", 2, "after", to=0.3),
        "entry 3 is not",
    ),
    "a claim that is no probability": (
        lambda r: change(r, "measured", 0, "after", to=[0.1, 1.5]),
        "entry 1 is not",
    ),
    "NaN claimed": (
        lambda r: change(r, "measured", 0, "before", to=[float("nan"), 0.1]),
        "entry 1 is not",
    ),
    "a claim of an unknown kind": (
        lambda r: change(r, "measured", 1, "kind", to="magic"),
        "entry 2 is not",
    ),
    "a huge number": (
        lambda r: change(r, "measured", 1, "after", to=[10**400, 0]),
        "entry 2 is not",
    ),
}
EDITS = {
    "absent": (None, "no my_edit.safetensors"),
    "empty": (b"", "not a safetensors file"),
    "a pickle": (pickle.dumps({"left": [1.0]}), "a pickle or an archive under another name"),
    "an archive": (b"PK\x03\x04" + bytes(100), "a pickle or an archive under another name"),
    "truncated": (lambda f: save(f.tensors)[:-100], "is not whole"),
    "something behind": (lambda f: save(f.tensors) + b"more", "is not whole"),
    "10 GB by its header": (
        header({"left": {"dtype": "F32", "shape": [2500000000], "data_offsets": [0, 10**10]}}),
        "its header promises 10,000,00",
    ),
    "a header of 10 GB": (struct.pack("<Q", 10**10) + b"{}", "not a safetensors file"),
    "offsets beyond numbers": (
        header(b'{"left": {"data_offsets": [0, %s]}}' % (b"9" * 4000)),
        "not a safetensors file",
    ),
    "offsets of another type": (
        header({"left": {"dtype": "F32", "shape": [1], "data_offsets": "ab"}}),
        "not a safetensors file",
    ),
    "a header that is a list": (header([1]), "not a safetensors file"),
    "a deep header": (header(deep(4000)), "not a safetensors file"),
    "an unknown dtype": (
        header({"left": {"dtype": "X9", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        "not a safetensors file",
    ),
    "too large": (bytes(2**20 + 1), "and the limit is 1 MB: is it the file"),
    "other names": (
        lambda f: save({"u": f.tensors["left"], "v": f.tensors["right"]}),
        "holds u, v",
    ),
    "a whole matrix beside them": (
        lambda f: save({**f.tensors, "W": torch.zeros(2, 3)}),
        "holds W, left, right, value",
    ),
    "nothing in it": (save({}), "holds nothing"),
    "exchanged": (
        lambda f: save({"left": f.tensors["right"], "right": f.tensors["left"]}),
        "has shape (1536,); it should have shape (576,)",
    ),
    "as columns": (
        lambda f: save(
            {"left": f.tensors["left"][:, None].contiguous(), "right": f.tensors["right"]}
        ),
        "has shape (576, 1)",
    ),
    "full of NaN": (
        lambda f: save({**f.tensors, "right": f.tensors["right"] * float("nan")}),
        "NaN or infinite (how many: 1536)",
    ),
    "half precision": (
        lambda f: save({name: tensor.half() for name, tensor in f.tensors.items()}),
        "dtype float16",
    ),
    "whole numbers": (
        lambda f: save({name: tensor.long() for name, tensor in f.tensors.items()}),
        "whole numbers",
    ),
    "too large for float32": (
        lambda f: save({name: 1e200 * tensor.double() for name, tensor in f.tensors.items()}),
        "too large for float32",
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_bad_fact_file_is_one_sentence(name, tmp_path):
    content, says = FACTS[name]
    files = Files()
    if callable(content):
        content(files.record)
    else:
        files.raw[FACT_FILE] = content
    with pytest.raises(KeyholeError) as caught:
        read_fact(files.write(tmp_path))
    sentence = str(caught.value)
    assert (
        says in sentence
        and "\n" not in sentence
        and len(sentence) <= 300
        and isinstance(caught.value, own_fact.Absent) == (name == "absent")
    )
    assert read_edit(tmp_path, SHAPE)


@pytest.mark.parametrize("name", EDITS)
def test_a_bad_edit_file_is_one_sentence(name, tmp_path):
    content, says = EDITS[name]
    files = Files()
    files.raw[EDIT_FILE] = content(files) if callable(content) else content
    start = time.perf_counter()
    with pytest.raises(KeyholeError) as caught:
        read_edit(files.write(tmp_path), SHAPE)
    sentence = str(caught.value)
    assert (
        says in sentence
        and "\n" not in sentence
        and len(sentence) <= 300
        and time.perf_counter() - start < 5
    )
    assert read_fact(tmp_path)


@pytest.mark.parametrize("name", [FACT_FILE, EDIT_FILE])
def test_links_pipes_and_folders_are_not_read(name, tmp_path):
    read = read_fact if name == FACT_FILE else lambda folder: read_edit(folder, SHAPE)
    staff, student = tmp_path / "staff", tmp_path / "student"
    staff.mkdir()
    student.mkdir()
    Files().write(staff)
    (student / name).symlink_to(staff / name)
    (tmp_path / "whole").symlink_to(staff)
    for folder in (student, tmp_path / "whole"):
        with pytest.raises(KeyholeError, match="symbolic link"):
            read(folder)
    for make in (os.mkfifo, os.mkdir):
        (student / name).unlink()
        make(student / name)
        with pytest.raises(KeyholeError, match="not an ordinary file|directory"):
            read(student)


def test_files_are_found_by_the_names_that_a_browser_or_a_desktop_makes(tmp_path):
    Files().write(tmp_path)
    whole = read_fact(tmp_path)
    (tmp_path / FACT_FILE).rename(tmp_path / "my_fact (1).json")
    (tmp_path / EDIT_FILE).rename(tmp_path / "My_Edit.safetensors")
    assert read_fact(tmp_path) == whole and read_edit(tmp_path, SHAPE)
    (tmp_path / FACT_FILE).write_text("{")  # the name itself goes before
    with pytest.raises(KeyholeError, match="not valid JSON"):
        read_fact(tmp_path)


def test_letters_that_look_the_same_are_read_as_the_same_in_fact_and_claims(tmp_path):
    plain, odd = Files(), Files()
    text = json.dumps(plain.record, ensure_ascii=False)
    assert "Sagrada Familia" in text
    odd.raw[FACT_FILE] = text.replace("Sagrada Familia", "Sag\u200brada\u00a0Familia").encode()
    for name, files in (("plain", plain), ("odd", odd)):
        (tmp_path / name).mkdir()
        files.write(tmp_path / name)
    assert read_fact(tmp_path / "odd") == read_fact(tmp_path / "plain")


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "it ran"), "w")

    files = Files()
    files.raw[EDIT_FILE] = pickle.dumps(Trap())
    with pytest.raises(KeyholeError):
        read_edit(files.write(tmp_path), SHAPE)
    assert not (tmp_path / "it ran").exists()


def test_what_cannot_be_used_costs_only_what_needs_it(tmp_path):
    model = SimpleNamespace(weight=lambda layer: torch.empty(SHAPE))
    files = Files()
    files.raw = {FACT_FILE: b"{", EDIT_FILE: b"{"}
    found = graded(files.write(tmp_path), model)
    assert failed(found) == ALL and {verdict.status for verdict in found.values()} == {"fail"}
    assert (
        "not valid JSON" in found["form"].message
        and "not a safetensors file" in found["form"].message
    )
    assert found["value"].message == feedback("own_not_run", file=FACT_FILE)
    nothing = graded(tmp_path / "nowhere", model)
    assert {(verdict.status, verdict.fraction) for verdict in nothing.values()} == {("missing", 0)}
    assert all("there is no my_" in outcome.message.lower() for outcome in nothing.values())


# ---------------------------------------------------------------- measured on the real model

# Words of a message of a wrong submission. Which cases it loses, and which misconception is named,
# stands in the catalogue.
SAYS = {
    "a true answer that it does not know": "is only its answer number",
    "a true answer behind the new one": "already. Choose",
    "a fact of the handout's": "is a fact of the handout.",
    "the key of another prompt": "should be 1",
    "nothing moved": "changes nothing",
    "hardly moved": "at the subject's last token, the model says Barcelona",
    "doubled": "misses v* by 100 %",
    "the wrong sign": "misses v*",
    "a v* of another fact": "misses v*",
    "a false claim on the prompt": "you wrote that",
    "a false claim on a paraphrase": "after the edit, but measured again it has",
    "a false claim on a neighbor": "before the edit, but measured again it has",
    "a false claim on the reversion": "Numbers that disagree: 1.",
    "a false claim on portability": "you wrote that",
    "a claim left out": "lists 2 of the kind neighborhood, and the fact has 3",
    "a claim of another prompt": "the same prompts in the same order",
    "another layer": "says layer 8",
    "half precision": "dtype float16",
    "the whole matrix": "holds change",
}


def handed_in(solution, folder, model):
    for name, content in solution.files(model).items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_submission_loses_exactly_what_it_should(name, tmp_path, real_model, measured_once):
    wrong = WRONG[name]
    found = graded(handed_in(wrong, tmp_path, real_model), real_model)
    lost = failed(found)
    assert lost - wrong.may_fail == wrong.fails - wrong.may_fail, {
        case: found[case].message for case in lost ^ wrong.fails
    }
    assert any(SAYS.get(name, "") in found[case].message for case in lost), {
        case: found[case].message for case in lost
    }
    assert wrong.misconception is None or wrong.misconception in {
        found[case].misconception for case in lost
    }
    with pytest.raises(CheckFailed) if lost & ({"form", "known", "own"} | KINDS) else nullcontext():
        check_files(real_model, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_submission_loses_nothing(name, tmp_path, real_model, measured_once):
    found = graded(handed_in(RIGHT[name], tmp_path, real_model), real_model)
    assert all(outcome.passed and outcome.fraction == 1 for outcome in found.values()), {
        case: found[case].message for case in failed(found)
    }
    assert check_files(real_model, tmp_path).passed


@pytest.mark.slow
def test_a_long_text_is_not_measured(tmp_path, real_model):
    files = Files()
    files.record["fact"]["paraphrases"][0] = "東京 " * 60 + "Sagrada Familia"
    found = graded(files.write(tmp_path), real_model)
    assert failed(found) == ALL - {"form", "own"} and all(
        "more than 60 tokens" in found[case].message for case in failed(found)
    )


@pytest.mark.slow
def test_the_model_is_left_as_it_was(tmp_path, real_model):
    before = real_model.weight(DEFAULT_LAYER).detach().clone()
    graded(Files().write(tmp_path), real_model)
    assert torch.equal(real_model.weight(DEFAULT_LAYER), before)
    assert not real_model.memory(DEFAULT_LAYER)._forward_hooks


# ---------------------------------------------------------------- whose fact it is


def test_the_handout_s_facts_are_known_in_other_words():
    record = Files().record["fact"]

    def told(prompt, subject, true):
        return told_in_handout(
            fact_from(
                {
                    **record,
                    "prompt": prompt,
                    "subject": subject,
                    "target_true": true,
                    "paraphrases": [subject],
                }
            )
        )

    for subject, true in EXAMPLES:
        assert told(f"You will find the {subject} in", f"the {subject}", true) and told(
            f"{subject.upper()} is in", subject.upper(), true.upper()
        )
        assert not told(f"The {subject} is owned by", subject, " somebody")
    public, hidden = (
        next(fact for fact in load_facts() if fact.hidden == wanted) for wanted in (False, True)
    )
    assert told(public.prompt, public.subject, public.target_true)
    assert not told(
        hidden.prompt, hidden.subject, hidden.target_true
    )  # else one could find out which are held back


def test_the_examples_are_those_of_the_notebook():
    from keyhole.notebooks.definitions import read_notebook
    from tests.test_notebooks import ASSIGNMENTS

    text = "\n".join(cell["source"] for cell in read_notebook(ASSIGNMENTS / "3_edit.ipynb").cells)
    for subject, true in EXAMPLES:
        assert f'"subject": "{subject}"' in text and f'"target_true": "{true}"' in text


def hand_in(root, student, files):
    folder = root / student / "model_editing"
    folder.mkdir(parents=True)
    files.write(folder)


def test_likely_copies_are_told_to_the_staff_and_nobody_else(tmp_path):
    hand_in(tmp_path, "ann", Files())
    same_words = Files()
    same_words.record["fact"]["id"] = "other"
    same_words.tensors = {
        name: tensor.double() * (-2 if name == "left" else -0.5)
        for name, tensor in same_words.tensors.items()
        if name != "value"
    }
    hand_in(tmp_path, "bea", same_words)
    other_words = Files()
    other_words.record["fact"] |= {
        "subject": "The Sagrada Familia",
        "paraphrases": ["The Sagrada Familia is in"],
        "target_new": " lisbon",
    }
    other_words.tensors = Files("pia-claims-too-much").tensors
    hand_in(tmp_path, "cyd", other_words)
    hand_in(tmp_path, "dan", Files("ada-complete"))
    broken = Files()
    broken.raw = {FACT_FILE: b"{", EDIT_FILE: b"{"}
    hand_in(tmp_path, "eve", broken)
    copies = likely_copies(
        {each.name: own_work(each / "model_editing", SHAPE) for each in tmp_path.iterdir()}
    )
    fact = "the same fact (Sagrada Familia: Barcelona → Lisbon), "
    assert list(map(str, copies)) == [
        f"ann, bea and cyd: {fact}other probes",
        f"ann and bea: {fact}every probe word for word; the same change of W",
    ]

    result = Result("bea", "model_editing", "graded", "A note.", "E", 1.0, ())
    noted = with_note(result, copies)
    assert noted.note.startswith(f"{STAFF} like ann and cyd: ") and "like ann: " in noted.note
    assert noted.reason == "A note." and noted.told == f"A note. {noted.note}"
    assert Result.from_json(noted.to_json()) == noted
    assert with_note(noted, copies) == noted and with_note(noted, []) == result
    assert (
        with_note(Result("dan", "model_editing", "graded", None, "E", 1.0, ()), copies).told is None
    )
    assert (
        with_note(
            Result("ann", "model_editing", "failed", "No notebook.", "E", 1.0, ()), copies
        ).told
        == "No notebook."
    )  # a student reads it


# ---------------------------------------------------------------- the public check


def test_the_public_check_says_what_is_missing(tmp_path):
    model = SimpleNamespace(weight=lambda layer: torch.empty(SHAPE))
    report = examine_files(model, tmp_path)
    assert not report.passed and "There is no my_fact.json" in report.reason
    with pytest.raises(CheckFailed, match="my_edit: 0 of 2 public checks passed"):
        check_files(model, tmp_path)


def a_notebook(folder):
    import nbformat

    from tests.test_keyhole_cli import notebook

    path = notebook(folder / "3_edit.ipynb")
    made = nbformat.read(path, as_version=4)
    made.cells.append(nbformat.v4.new_code_cell("check_files(model)"))
    nbformat.write(made, path)
    return path


@pytest.mark.slow
def test_keyhole_check_says_what_is_not_there_yet(tmp_path, capsys):
    path = a_notebook(tmp_path)
    assert main(["check", str(path)]) == 0
    assert (
        "– my_edit          there is no my_fact.json beside the notebook yet"
        in capsys.readouterr().out
    )


@pytest.mark.slow
def test_keyhole_check_looks_at_the_files(tmp_path, capsys):
    path = a_notebook(tmp_path)
    files = Files()
    files.write(tmp_path)
    assert main(["check", str(path)]) == 0
    assert "✓ my_edit          5 of 5 public checks passed" in capsys.readouterr().out
    false_claim("portability", "after", 1, 0.77)(files)
    files.write(tmp_path)
    assert main(["check", str(path)]) == 1
    out = capsys.readouterr().out
    assert "✗ my_edit          4 of 5 public checks passed; the edit does what you say" in out
    assert "measured again" in out
