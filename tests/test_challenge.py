"""The challenge: its file is read safely and scored, baselines give points, the board shows all."""

import json
import math
import os
import pickle
import re
import struct
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save

from autograder import cli, secret
from autograder import grade as grading
from autograder.commands.board_page import page_of
from autograder.commands.tables import as_csv, as_table
from autograder.grade import Grader, grade_submission
from autograder.gradebook.page import challenge_cell
from autograder.hidden import NOTEBOOKS, challenge
from autograder.making.sample_edits import CHALLENGES, challenge_of
from autograder.result import Bonus, Result, read_json, write_json
from autograder.sandbox import isolation
from keyhole import messages
from keyhole.checking.challenge import (
    BASELINES,
    FILE,
    MARGIN,
    MOST_RANK,
    Edits,
    EditsScore,
    Scoring,
    apart,
    challenge_facts,
    edited_by,
    low_rank,
    passed,
    public_baselines,
    read_edits,
    save_edits,
)
from keyhole.cli import main
from keyhole.errors import KeyholeError
from keyhole.facts import load_facts
from keyhole.messages import LANGUAGES
from keyhole.notebooks.file import file_called
from keyhole.paths import OWN_FILES as FILES
from keyhole.toy import toy_model
from tests.standins import DOUBLE, TESTS, TRIPLE, InThisProcess
from tests.test_grade import hand_in

D_OUT, D_IN = toy_model().weight(0).shape


@pytest.fixture(scope="module")
def model():
    return toy_model(layers=6)


def pair(rank=2, d_out=D_OUT, d_in=D_IN, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        0.1 * torch.randn(d_out, rank, generator=generator),
        0.1 * torch.randn(d_in, rank, generator=generator),
    )


def tensors(layers=(1,), **options):
    return {
        f"layer{layer}.{side}": part
        for layer in layers
        for side, part in zip(("left", "right"), pair(**options))
    }


# ---------------------------------------------------------------- the file


def test_what_is_saved_is_what_is_read(toy, tmp_path):
    changes = {
        layer: torch.outer(*(part[:, 0] for part in pair(1, *toy.weight(layer).shape, seed=layer)))
        for layer in (0, 2)
    }
    written = save_edits(changes, tmp_path / FILE)
    read = read_edits(tmp_path / FILE, toy)
    assert sorted(read.factors) == [0, 2] and read.rank == written.rank == 2
    for layer, change in changes.items():
        assert torch.allclose(read.change(layer), change, atol=1e-7)


def test_half_precision_is_read(model, tmp_path):
    half = {name: part.half() for name, part in tensors().items()}
    (tmp_path / FILE).write_bytes(save(half))
    left, right = half.values()
    change = read_edits(tmp_path / FILE, model).change(1)
    assert torch.allclose(change, (left.double() @ right.double().T).float())


def test_a_change_of_full_rank_is_cut_to_the_limit_and_keeps_its_largest_part():
    generator = torch.Generator().manual_seed(0)
    full, small = (torch.randn(90, 100, generator=generator) for _ in range(2))
    cut = low_rank({3: full, 4: 1e-3 * small})
    assert cut.rank == MOST_RANK
    ranks = [cut.factors[layer][0].shape[1] for layer in (3, 4)]
    assert min(ranks) > 50  # the size of a layer's change does not count, but its shape
    left, values, right = torch.linalg.svd(full.double(), full_matrices=False)
    best = (left[:, : ranks[0]] * values[: ranks[0]]) @ right[: ranks[0]]
    assert torch.allclose(cut.change(3).double(), best, atol=1e-4)


def test_a_change_of_nothing_has_no_rank(model, tmp_path):
    assert save_edits({1: torch.zeros(D_OUT, D_IN)}, tmp_path / FILE).rank == 0
    assert read_edits(tmp_path / FILE, model).change(1).abs().sum() == 0


@pytest.mark.parametrize(
    "changes", [{}, {n: torch.eye(2) for n in range(5)}, {1: torch.full((2, 2), math.nan)}]
)
def test_what_cannot_be_handed_in_is_not_saved(changes, tmp_path):
    with pytest.raises(KeyholeError):
        save_edits(changes, tmp_path / FILE)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeyholeError, match="cannot be written"):
        save_edits({1: torch.eye(3)}, tmp_path / "file" / FILE)


def with_bad(value, name="layer1.left"):
    made = tensors()
    made[name][0, 0] = value
    return save(made)


def header(entries, body=b""):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + body


HOSTILE = {
    "not a number": (with_bad(math.nan), "that are NaN or infinite"),
    "infinite": (with_bad(math.inf, "layer1.right"), "that are NaN or infinite"),
    "too large for float32": (
        save({name: part.double() * 1e25 for name, part in tensors().items()}),
        "too large for float32",
    ),
    "rank": (save(tensors(rank=MOST_RANK + 1)), "rank 121 in all"),
    "rank in all": (save(tensors((0, 1, 2), rank=41)), "rank 123 in all"),
    "five layers": (save(tensors(range(5))), "changes 5 layers"),
    "a layer that is not there": (save(tensors((6,))), "changes layer 6"),
    "a layer below zero": (save({"layer-1.left": torch.ones(2, 2)}), "“layer-1.left”"),
    "another name": (save(tensors() | {"layer1.middle": torch.ones(2)}), "“layer1.middle”"),
    "a name with codes": (save({"\x1b[2J": torch.ones(2)}), "may hold only names like"),
    "one factor": (save({"layer1.left": pair()[0]}), "lacks “layer1.right”"),
    "transposed": (save({n: p.T.contiguous() for n, p in tensors().items()}), "has shape"),
    "a vector": (save({n: p[:, 0].contiguous() for n, p in tensors().items()}), "has shape"),
    "uneven": (save({"layer1.left": pair(2)[0], "layer1.right": pair(3)[1]}), "do not fit"),
    "whole numbers": (save({n: p.int() for n, p in tensors().items()}), "has dtype int32"),
    "nothing": (save({}), "holds nothing"),
    "empty": (b"", "not a safetensors file"),
    "a pickle": (pickle.dumps({"layer1.left": [1.0]}), "a pickle or an archive"),
    "a zip": (b"PK\x03\x04" + bytes(99), "a pickle or an archive"),
    "text": (b"layer1.left = 3", "not a safetensors file"),
    "cut off": (save(tensors())[:-7], "is not whole"),
    "more behind": (save(tensors()) + b"more", "is not whole"),
    "a header of 10 GB": (struct.pack("<Q", 10**10) + b"{}", "not a safetensors file"),
    "a header that lies": (
        header({"layer1.left": {"dtype": "F32", "shape": [9, 9], "data_offsets": [0, 4]}}, b"1234"),
        "not a safetensors file",
    ),
    "7 MB": (bytes(7 * 2**20), "the limit is 6 MB"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_one_sentence(name, language, model, tmp_path):
    content, says = HOSTILE[name]
    (tmp_path / FILE).write_bytes(content)
    messages.use(language)
    with pytest.raises(KeyholeError) as refused:
        read_edits(tmp_path / FILE, model)
    words = str(refused.value)
    assert FILE in words and len(refused.value.remarks) <= 2 and "\x1b" not in words
    if language == "en":
        assert says in words
    else:
        assert re.search("[一-鿿]", words)


@pytest.mark.parametrize(
    "make, says",
    [
        (lambda path, other: path.symlink_to(other), "link"),
        (lambda path, other: path.mkdir(), "not an ordinary file"),
        (lambda path, other: os.mkfifo(path), "not an ordinary file"),
        (lambda path, other: None, "no my_edits.safetensors"),
    ],
)
def test_links_folders_pipes_and_nothing_are_not_read(make, says, model, tmp_path):
    (tmp_path / "other").write_bytes(save(tensors()))
    make(tmp_path / FILE, tmp_path / "other")
    with pytest.raises(KeyholeError, match=says):
        read_edits(tmp_path / FILE, model)


def test_the_file_of_the_challenge_is_not_taken_for_that_of_the_own_fact(tmp_path):
    (tmp_path / FILE).write_bytes(b"")
    assert file_called(tmp_path, FILES[1]) is None
    assert file_called(tmp_path, FILE) == tmp_path / FILE
    (tmp_path / "my_edit (1).safetensors").write_bytes(b"")
    assert file_called(tmp_path, FILES[1]).name == "my_edit (1).safetensors"


# ---------------------------------------------------------------- the score


@pytest.fixture(scope="module")
def scoring(model):
    return Scoring(model, load_facts()[:3], torch.randint(3, 90, (2, 20)))


def test_a_change_of_nothing_changes_nothing_and_every_change_is_taken_back(model, scoring):
    before = [weight.clone() for weight in model.hf.parameters()]
    nothing = scoring.of(Edits({}))
    assert nothing.perplexity == nothing.perplexity_before and nothing.size == 0
    assert nothing.keeps_text and nothing.original == 0
    large = scoring.of(Edits({1: tuple(100 * part for part in pair())}))
    assert large.size > 1 and large.perplexity != large.perplexity_before
    assert all(map(torch.equal, before, model.hf.parameters()))


def test_shares_are_means_over_facts_of_what_the_model_says(model):
    says = model.tokenizer.decode(
        [int(model.next_token_probabilities(["The capital"])[0].argmax())]
    )
    fact = replace(
        load_facts()[0],
        prompt="The capital",
        target_new=says,
        paraphrases=("The capital", "The capital"),
        neighbors=(("The capital", says), ("The capital", "\x01")),
    )
    other = replace(fact, target_new="\x02", neighbors=(("The capital", says),))
    made = Scoring(model, [fact, other], torch.randint(3, 90, (1, 9))).of(Edits({}))
    assert made.shares == (0.5, 0.5, 0.75)


def test_the_size_of_several_layers_is_put_together(model):
    one, two = Edits({1: pair()}), Edits({2: pair(seed=1)})
    both = Edits({**one.factors, **two.factors})
    assert both.size(model) == pytest.approx(math.hypot(one.size(model), two.size(model)))
    expected = one.change(1).norm() / model.weight(1).norm()
    assert one.size(model) == pytest.approx(float(expected))
    with edited_by(model, both):
        inside = model.weight(2).clone()
    assert torch.allclose(inside - model.weight(2), two.change(2), atol=1e-6)


def a_score(s, rise=1.0):
    return EditsScore(s, s, s, 20.0 * rise, 20.0, 0.5)


def bonus_for(tmp_path, model, score):
    (tmp_path / FILE).write_bytes(save(tensors()))
    stand_in = SimpleNamespace(of=lambda edits: score)
    return challenge.bonus(tmp_path / FILE, model, lambda: stand_in, "Amber Otter 123")


def test_each_baseline_passed_is_worth_its_points(tmp_path, model):
    least = challenge.baselines()
    assert list(least) == list(BASELINES) and sorted(least.values()) == list(least.values())
    points = [0, 1, 2, 3, 5]
    below = [0.01, *(least[name] for name in BASELINES)]
    for score, expected in zip(below, points):
        made = bonus_for(tmp_path, model, a_score(score))
        assert (made.points, made.max_points, len(made.passed)) == (
            expected,
            5,
            points.index(expected),
        )
        assert made.measured["S"] == pytest.approx(score, abs=1e-4)
    just_below = bonus_for(tmp_path, model, a_score(least["boss"] - MARGIN - 1e-4))
    assert just_below.points == 3 and "boss" not in just_below.message


@pytest.mark.parametrize("rise, points", [(1.09, 5), (1.11, 0), (math.nan, 0), (math.inf, 0)])
def test_beyond_the_limit_of_perplexity_there_are_no_points(tmp_path, model, rise, points):
    made = bonus_for(tmp_path, model, a_score(1.0, rise))
    assert made.points == points and bool(made.passed) == bool(points)
    assert ("no points, because perplexity rises by more than 10 %" in made.message) == (not points)
    assert (made.measured["perplexity"] is None) == (not math.isfinite(rise))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_cannot_be_used_gives_no_points_and_says_why(tmp_path, model, language):
    messages.use(language)
    (tmp_path / FILE).write_bytes(with_bad(math.nan))
    made = challenge.bonus(tmp_path / FILE, model, None, "Amber Otter 123")
    assert made.points == 0 and made.measured is None and FILE in made.message


# ---------------------------------------------------------------- the data


def test_the_hidden_probes_are_of_the_same_facts_in_other_words():
    public, hidden = challenge_facts(), challenge.hidden_facts()
    told = " ".join(json.dumps(challenge_record(fact), ensure_ascii=False) for fact in load_facts())
    assert [fact.id for fact in public] == [fact.id for fact in hidden] and len(public) == 40
    edited = {(fact.relation, fact.subject) for fact in public}
    for fact, seen in zip(hidden, public):
        assert (fact.prompt, fact.target_new) == (seen.prompt, seen.target_new)
        assert 2 <= len(fact.paraphrases) <= 3 and 1 <= len(fact.neighbors) <= 3
        for prompt in (*fact.paraphrases, *(prompt for prompt, _ in fact.neighbors)):
            assert prompt not in told
        assert all(fact.subject in prompt for prompt in fact.paraphrases)
        for prompt, answer in (*fact.neighbors, *seen.neighbors):
            assert answer != fact.target_new
            assert not any(s in prompt for r, s in edited if r == fact.relation)


def challenge_record(fact):
    return [fact.prompt, *fact.paraphrases, *(prompt for prompt, _ in fact.neighbors)]


def test_neighbors_that_another_fact_changes_are_left_out():
    first, second = load_facts()[:2]
    assert first.relation == second.relation
    first = replace(first, neighbors=((second.prompt, " x"), ("Other", " y")))
    assert apart(first, [first, second]).neighbors == (("Other", " y"),)


def test_baselines_rise_on_the_public_probes_too_and_the_margin_is_small():
    least = public_baselines()
    assert list(least) == list(BASELINES) and least["strong"] < least["boss"]
    assert passed(least["boss"], least)[-1] == "boss" and passed(0.0, least) == []
    gaps = sorted(challenge.baselines().values())
    assert min(b - a for a, b in zip(gaps, gaps[1:])) > 2 * MARGIN


@pytest.fixture(scope="module")
def hidden_scoring(real_model):
    return challenge.hidden_scoring(real_model)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["medium", "strong"])
def test_the_stored_scores_are_those_of_the_stored_baselines(name, real_model, hidden_scoring):
    edits = read_edits(challenge.REFERENCE / f"baseline_{name}.safetensors", real_model)
    made = hidden_scoring.of(edits)
    stored = challenge.stored()["baselines"][name]
    assert challenge.s_of(made) == pytest.approx(stored["S"], abs=MARGIN)
    assert made.perplexity == pytest.approx(stored["perplexity"], rel=1e-3)
    assert made.size == pytest.approx(stored["size"], rel=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("one_model")
def test_keyhole_score_says_what_the_public_probes_say(capsys):
    path = challenge.REFERENCE / "baseline_medium.safetensors"
    assert main(["score", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"S {100 * public_baselines()['medium']:.1f}" in shown.splitlines()[0]
    assert "✓ medium" in shown and "✗ strong" in shown and "rank 40 in all" in shown
    assert main(["score", "--lang", "zh-TW", str(path.with_name("absent"))]) == 2


# ---------------------------------------------------------------- grading


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(grading, "Sandbox", InThisProcess)
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("A", {}))


class Stand(Grader):
    """A grader whose model is a toy, and to which every change is as good as the boss."""

    def __init__(self, model, score=None):
        tests = {
            name: SimpleNamespace(cells=each.cells, challenge=True) for name, each in TESTS.items()
        }
        super().__init__(tests, secret.TEST_SECRET)
        self._model, self._score = model, score

    def challenge(self):
        if self._score is None:
            raise RuntimeError("a defect of ours")
        return SimpleNamespace(of=lambda edits: self._score)


def test_a_file_is_scored_beside_the_notebooks_and_the_score_of_the_course_stays(
    tmp_path, quick, model
):
    folder = hand_in(tmp_path, DOUBLE, TRIPLE)
    none = grade_submission(folder, "ada", Stand(model, a_score(1.0)))
    assert none.bonus is None and "bonus" not in none.to_json()
    (folder / FILE).write_bytes(save(tensors()))
    made = grade_submission(folder, "ada", Stand(model, a_score(1.0)))
    assert made.bonus.points == 5 and (made.score, made.max_score) == (none.score, none.max_score)
    assert made.bonus.pseudonym == secret.pseudonym(secret.TEST_SECRET, "ada")
    write_json(tmp_path / "r.json", [none, made])
    assert [each.bonus for each in read_json(tmp_path / "r.json")] == [None, made.bonus]
    assert [line.split(",")[-3] for line in as_csv([none, made]).splitlines()] == [
        "challenge_bonus",
        "",
        "5.0",
    ]
    assert "bonus" in as_table([made]) and "bonus" not in as_table([none])


def test_a_defect_of_ours_costs_no_submission(tmp_path, quick, model, caplog):
    folder = hand_in(tmp_path, DOUBLE, TRIPLE)
    (folder / FILE).write_bytes(save(tensors()))
    made = grade_submission(folder, "ada", Stand(model))
    assert made.score == made.max_score and made.bonus.points == 0
    assert "grader itself failed" in made.bonus.message and "a defect of ours" in caplog.text


def test_no_link_is_followed_to_a_folder(tmp_path, quick, model):
    there = tmp_path / "there" / "model_editing"
    hand_in(there, DOUBLE, TRIPLE)
    (there / FILE).write_bytes(save(tensors()))
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "model_editing").symlink_to(there)
    made = grade_submission(tmp_path / "eve" / "model_editing", "eve", Stand(model, a_score(1.0)))
    assert made.bonus is None


def test_only_notebook_4_has_the_challenge():
    assert [name for name, tests in NOTEBOOKS.items() if tests.challenge] == ["4_scale"]


def test_a_pseudonym_is_stable_and_gives_no_name_away():
    one = secret.pseudonym(b"a" * 32, "ada")
    assert one == secret.pseudonym(b"a" * 32, "ada")
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+ \d{3}", one)
    others = {secret.pseudonym(b"a" * 32, f"student{number}") for number in range(200)}
    assert len(others) > 195 and one not in others
    assert secret.pseudonym(b"b" * 32, "ada") != one
    assert secret.pseudonym(b"a" * 32, "\udcff") != one  # a name that is not in UTF-8
    assert len(set(secret.KINDS)) == len(set(secret.ANIMALS)) == 64


def test_the_page_tells_the_student_points_and_pseudonym():
    cell = challenge_cell(Bonus(3.0, 5.0, "Read <b> it.", "Amber Otter 123"))
    assert "3 of 5" in cell.source and "Amber Otter 123" in cell.source
    assert (
        cell.cell_type == "markdown"
        and "<b>" not in cell.source
        and "nbgrader" not in cell.metadata
    )


# ---------------------------------------------------------------- the board


def an_entry(name, s, size=0.5, rise=1.0, points=1.0):
    after = 20 * rise if math.isfinite(rise) else None
    measured = {"S": s, "original": s, "paraphrase": s, "neighborhood": s, "size": size}
    measured |= {"perplexity": after, "perplexity_before": 20.0}
    return Bonus(points, 5.0, "", name, (), measured)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_board_shows_pseudonyms_in_order_and_loads_nothing(language, tmp_path, capsys):
    entries = [
        an_entry("Low <One>", 0.2),
        an_entry("High Two", 0.9, size=None),
        an_entry("Hollow Three", 0.95, rise=1.3),
        an_entry("Broken Four", 0.1, rise=math.nan),
        Bonus(0.0, 5.0, "my_edits.safetensors is no file", "Hidden Five"),
    ]
    results = [
        Result(f"student{number}", "model_editing", "graded", None, "A", 1.0, (), bonus=entry)
        for number, entry in enumerate([*entries, None])
    ]
    write_json(tmp_path / "r.json", results)
    out = tmp_path / "board.html"
    arguments = [str(tmp_path / "r.json"), "--out", str(out), "--lang", language]
    assert cli.main(["board", *arguments]) == 0
    page = out.read_text("utf-8")
    table = page.partition("<table>")[2]
    order = ["High Two", "Low &lt;One&gt;", "Hollow Three", "Broken Four"]
    assert [table.index(name) for name in order] == sorted(table.index(name) for name in order)
    assert (
        "<One>" not in page
        and "Hidden Five" not in page
        and "student" not in re.sub(r'class="student[^"]*"|\.student|--student', "", page)
    )
    for name in BASELINES:
        assert page.count(name) >= 2
    assert page.count('class="baseline" d=') == 4 and page.count("<circle") == 4
    assert page.count('hollow"') == 2 and f'lang="{language}"' in page
    assert not re.search(
        r"https?:|//|src=|href=|@import|url\(", page.replace("<!doctype html>", "")
    )
    assert "5 handed in" in capsys.readouterr().out


def test_a_board_of_nobody_says_so_and_is_still_a_page():
    page = page_of([], challenge.stored()["baselines"])
    assert "Nobody has handed in" in page and "<circle" not in page


@pytest.mark.parametrize("content", [None, "", "[1]", '[{"student": "a"}]'])
def test_a_report_that_is_none_is_one_sentence(content, tmp_path, capsys):
    if content is not None:
        (tmp_path / "r.json").write_text(content)
    arguments = ["board", str(tmp_path / "r.json"), "--out", str(tmp_path / "b.html")]
    code = cli.main(arguments)
    said = capsys.readouterr()
    assert code == 2 and "Traceback" not in said.err and str(tmp_path / "r.json") in said.err


# ---------------------------------------------------------------- the sample class


def test_the_sample_class_hands_in_files_of_several_kinds(tmp_path):
    kinds, model = [], SimpleNamespace(n_layers=30, weight=lambda _: torch.empty(576, 1536))
    for student in CHALLENGES:
        [(name, content)] = challenge_of(student).items()
        (tmp_path / name).write_bytes(content)
        try:
            kinds.append(read_edits(tmp_path / name, model).rank)
        except KeyholeError as error:
            kinds.append(error.code)
    assert len(kinds) >= 4 and kinds.count("not_finite") == 1
    assert challenge_of("ivo-untouched") == {}
