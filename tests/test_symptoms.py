"""Symptoms: each is seen where it is, and none where a result is wrong at random."""

import re

import pytest
import torch

from autograder.hidden import examples
from keyhole.checking import symptoms
from keyhole.checking.symptoms import Comparison, Given, familiar_factors, found, of_shape
from keyhole.messages import word
from keyhole.messages.en import SYMPTOMS

CHANCE = 1e-3  # of saying something of a result drawn at random


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


RIGHT, OTHER, WEIGHT = draw(5, 7), draw(5, 7, seed=1), draw(5, 7, seed=2)
CUBE, SQUARE, SAMPLES = draw(3, 8, 4), draw(6, 6) @ draw(6, 6).T, draw(7).abs() + 0.2
LOSS = draw(()) + 3
OBJECTIVE = Given(
    "value_objective",
    {
        "target_log_probs": -draw(6, 3).abs(),
        "kl_log_probs": draw(23),
        "kl_log_probs_before": draw(23, seed=3),
        "delta": draw(9),
        "value_before": draw(9, seed=3),
        "kl_weight": 0.6,
        "decay": 0.8,
    },
)
EFFECT = Given(
    "indirect_effect", {"restored": SAMPLES, "corrupted": SAMPLES / 2}, lambda: SAMPLES / 2
)
TOKENS = Given(
    "restore",
    {"hidden": CUBE},
    regions={"tokens_before": range(2), "restored_token": [2], "tokens_after": range(3, 8)},
)
TOKENS_OF_TWO = Given(
    "restore",
    {"hidden": CUBE, "clean": CUBE.flip(2)[0, 0].expand(8, 4)},
    regions={"tokens_before": range(2), "restored_token": [2], "tokens_after": range(3, 8)},
)
SHARES = Given("efficacy", {"nll_true": SAMPLES, "nll_new": SAMPLES / 2}, lambda: SAMPLES > 0.9)
MOMENT, KEYS = Given("second_moment"), draw(4, 20)
MIDDLING = int(SAMPLES.argsort()[1])
BORDER = torch.nn.functional.pad(torch.zeros(3, 5), [1] * 4, value=1.0) > 0
PROBABILITIES = torch.rand(4, 5, generator=torch.Generator().manual_seed(0)).double()


def at(right, place, by=0.7):
    """`right` with one part changed."""
    changed = right.clone()
    changed[place] += by
    return changed


def outer(left, right):
    return WEIGHT + torch.outer(left, right)


UPDATE = outer(draw(5, seed=5), draw(7, seed=6))
MEAN = SAMPLES.mean() / 2

# name of the symptom -> (result, right result, what else the comparison holds)
SEEN = {
    "zero": (torch.zeros(5, 7), RIGHT, {}),
    "all_alike": (torch.full((5, 7), 0.3), RIGHT, {}),
    "alike_along": (RIGHT[:1].expand(5, 7), RIGHT, {}),
    "sign": (-RIGHT, RIGHT, {}),
    "sign_of_change": (2 * WEIGHT - RIGHT, RIGHT, {"origin": WEIGHT}),
    "factor": (2 * RIGHT, RIGHT, {}),
    "factor_of_change": (WEIGHT + 1.37 * (RIGHT - WEIGHT), RIGHT, {"origin": WEIGHT}),
    "offset": (RIGHT + 3, RIGHT, {}),
    "scale_and_offset": (0.4 * RIGHT + 3, RIGHT, {}),
    "axes_swapped": (SQUARE[:, [1, 0, 2, 3, 5, 4]].T, SQUARE[:, [1, 0, 2, 3, 5, 4]], {}),
    "reversed": (RIGHT.flip(0), RIGHT, {}),
    "reordered": (RIGHT[[2, 1, 0, 4, 3]], RIGHT, {}),
    "late": (RIGHT.roll(1, 0), RIGHT, {}),
    "early": (RIGHT.roll(-1, 1), RIGHT, {}),
    "like_argument": (OTHER, RIGHT, {"given": Given(arguments={"other": OTHER})}),
    "with_argument": (RIGHT + OTHER / 2, RIGHT, {"given": Given(arguments={"other": OTHER})}),
    "transformed": (LOSS.exp(), LOSS, {}),
    "reduced": (SAMPLES.std() / 2, MEAN, {"given": EFFECT}),
    "part_alone": (SAMPLES[MIDDLING] / 2, MEAN, {"given": EFFECT}),
    "part_missing": (SAMPLES[1:].mean() / 2, MEAN, {"given": EFFECT}),
    "part_uncounted": (SAMPLES[1:].sum() / 14, MEAN, {"given": EFFECT}),
    "part_twice": ((SAMPLES.sum() + SAMPLES[0]) / 16, MEAN, {"given": EFFECT}),
    "parts_alone": (
        CUBE[:2].mean(0),
        CUBE.mean(0),
        {"given": Given("trace", make_parts=lambda: torch.cat([CUBE, CUBE[:1] * 2]))},
    ),
    "rounded": (RIGHT.round(decimals=2), RIGHT, {}),
    "scattered": (SQUARE[:4, :3].flatten().reshape(3, 4).T, SQUARE[:4, :3], {}),
    "whole": (RIGHT.floor(), RIGHT, {}),
    "cut_above": (RIGHT.clamp(max=0.8), RIGHT, {}),
    "cut_below": (RIGHT.clamp(min=-0.8), RIGHT, {}),
    "diagonal_wrong": (SQUARE + torch.eye(6) * draw(6), SQUARE, {"given": MOMENT}),
    "diagonal_right": (
        at(SQUARE, ~torch.eye(6, dtype=torch.bool), draw(30)),
        SQUARE,
        {"given": MOMENT},
    ),
    "half_right": (SQUARE + torch.triu(draw(6, 6).abs() + 1), SQUARE, {"given": MOMENT}),
    "only_wrong": (at(CUBE, (slice(None), 1), draw(3, 4, seed=9)), CUBE, {}),
    "only_right": (at(CUBE, slice(1, None), draw(2, 8, 4, seed=9)), CUBE, {}),
    "region_wrong": (
        at(CUBE, (slice(None), slice(0, 2)), draw(3, 2, 4, seed=9)),
        CUBE,
        {"given": TOKENS},
    ),
    "row_factors": (CUBE / CUBE.norm(dim=-1, keepdim=True), CUBE, {}),
    "unit_diagonal": (torch.corrcoef(draw(6, 9)), SQUARE, {}),
    "patchwork": (
        at(CUBE, (slice(None), 2), CUBE.flip(2)[0, 0] - CUBE[:, 2]),
        torch.zeros_like(CUBE) + CUBE.flip(2)[0, 0],
        {"given": TOKENS_OF_TWO},
    ),
    "edges": (torch.where(BORDER, OTHER, RIGHT), RIGHT, {}),
    "out_of_range": (1.2 * PROBABILITIES + draw(4, 5), PROBABILITIES, {"given": Given("trace")}),
    "pairs": (torch.tensor(20 / 49), torch.tensor(3 / 7), {"given": SHARES}),
    "no_share": (torch.tensor(0.4), torch.tensor(3 / 7), {"given": SHARES}),
    "asymmetric": (draw(6, 6, seed=7), SQUARE, {"given": Given("second_moment")}),
    "only_written_right": (
        outer(draw(5, seed=5), draw(7, seed=8)),
        UPDATE,
        {"origin": WEIGHT, "given": Given("rank_one_update")},
    ),
    "only_key_right": (
        outer(draw(5, seed=8), draw(7, seed=6)),
        UPDATE,
        {"origin": WEIGHT, "given": Given("rank_one_update")},
    ),
    "neither_side": (
        outer(draw(5, seed=8), draw(7, seed=9)),
        UPDATE,
        {"origin": WEIGHT, "given": Given("rank_one_update")},
    ),
}
SHAPES = {
    "axis_missing": ((8, 4), (3, 8, 4)),
    "axis_kept": ((1, 8, 4), (3, 8, 4)),
    "axis_short": ((3, 7, 4), (3, 8, 4)),
    "axis_long": ((3, 9, 4), (3, 8, 4)),
    "axes_ordered": ((8, 3, 4), (3, 8, 4)),
    "axis_of_one": ((1, 5, 7), (5, 7)),
    "axis_too_many": ((2, 5, 7), (5, 7)),
    "not_reduced": ((7,), ()),
}


def comparison(got, right, extra):
    return Comparison(got.double(), right.double(), **extra)


@pytest.mark.parametrize("name", SEEN)
def test_each_symptom_is_seen(name):
    remark = found(comparison(*SEEN[name]))
    assert remark and remark.code == name, remark and str(remark)


@pytest.mark.parametrize("name", SHAPES)
def test_each_symptom_of_a_shape_is_seen(name):
    got, right = SHAPES[name]
    remark = of_shape(torch.zeros(got), torch.zeros(right), EFFECT)
    assert remark and remark.code == name, remark and str(remark)


def test_a_map_of_tokens_and_layers_has_no_diagonal():
    right = torch.rand(6, 6, generator=torch.Generator().manual_seed(0)).double() / 3
    got = right + torch.eye(6) * (0.2 + right)
    assert found(comparison(got, right, {"given": Given("trace")})) is None


def test_of_vectors_of_another_width_no_numbers_are_said_to_be_missing():
    assert of_shape(torch.zeros(12), torch.zeros(20), Given("subject_key")) is None
    assert of_shape(torch.zeros(3, 7, 4), torch.zeros(3, 8, 4), TOKENS).code == "axis_short"


def test_a_part_with_a_name_is_told_by_it():
    given = Given("subject_key", {}, lambda: KEYS, names={1: word("empty_one")})
    for number, says in ((1, "counts the empty one twice"), (3, "counts the last twice")):
        got = (KEYS.sum(0) + KEYS[number]) / 5
        assert says in str(found(comparison(got, KEYS.mean(0), {"given": given})))


def test_few_whole_numbers_show_nothing():
    """Three of three kinds are right in one of 27 drawings, or equal to their neighbors."""
    alike, of_two = (
        torch.tensor([[1.0, 1], [2, 2], [0, 0]]),
        torch.tensor([[1.0, 2], [2, 0], [0, 1]]),
    )
    assert found(comparison(alike, of_two, {})) is None
    more = torch.arange(12.0).reshape(6, 2)
    assert found(comparison(more[:, :1].expand(6, 2), more, {})).code == "alike_along"


def test_what_stays_as_it_was_counts_among_what_came_out_right():
    origin, right = torch.zeros(5, 6), torch.cat([torch.zeros(1, 6), RIGHT[:4, :6]])
    got = at(right, slice(1, 4), draw(3, 6, seed=9))
    said = str(found(comparison(got, right, {"origin": origin})))
    assert "only those numbered 0 and 4 (counted from 0) came out right" in said


def test_every_symptom_has_an_example():
    # tests/test_diagnosis.py and tests/test_examples.py have these
    elsewhere = {
        "factor_varies",
        "change_varies",
        "later_call",
        "noise_otherwise",
        *examples.PATTERNS["trace"],
        *(code for codes in examples.SHOWS.values() for code in codes),
    }
    assert SEEN.keys() | SHAPES.keys() | elsewhere == SYMPTOMS.keys()


@pytest.mark.parametrize(
    "times, says",
    [
        (1 / 7, "1 / (the number of samples)"),
        (7 / 6, "N / (N − 1)"),
        (torch.log(torch.tensor(2.0).double()), "ln 2"),
        (-0.5, "−1/2"),
    ],
)
def test_a_familiar_factor_is_named(times, says):
    given = Given("indirect_effect", {"restored": SAMPLES, "corrupted": SAMPLES})
    assert says in str(found(comparison(MEAN * times, MEAN, {"given": given})))


def test_the_length_of_an_argument_is_named():
    length = OBJECTIVE.numbers["value_before"].norm()
    said = str(found(comparison(LOSS * length, LOSS, {"given": OBJECTIVE})))
    assert "the length of `value_before`" in said


# ---------------------------------------------------------------- chance

# What a result may be: (the right one, what else the comparison holds)
FORMS = {
    "a loss": (LOSS, {"given": OBJECTIVE}),
    "an effect": (MEAN, {"given": EFFECT}),
    "a vector": (draw(20), {"given": Given("subject_key", {}, lambda: draw(4, 20))}),
    "a matrix": (RIGHT, {"origin": WEIGHT, "given": Given(arguments={"other": OTHER})}),
    "a moment": (SQUARE, {}),
    "states": (CUBE, {"given": TOKENS}),
    "a map": (PROBABILITIES, {"origin": 0.1, "tolerance": 1e-3}),
    "an update": (UPDATE, {"origin": WEIGHT, "tolerance": 1e-3}),
}


def at_random(right, generator, kind):
    """A wrong result without any reason: anew, near the right one, or of another size."""
    noise = torch.randn(right.shape, generator=generator).double()
    scale = 10 ** (4 * torch.rand((), generator=generator).double() - 3)
    match kind:
        case "anew":
            return right.std(correction=0).clamp(min=0.3) * noise
        case "near":
            return right + scale * right.abs().mean() * noise
        case _:
            return right * (3 * torch.rand(right.shape, generator=generator).double() - 1)


def said_at_random(form, count):
    """What is said of results without any reason, three kinds of them in turn."""
    right, extra = FORMS[form]
    generator = torch.Generator().manual_seed(count)
    for number in range(count):
        got = at_random(right, generator, ("anew", "near", "times")[number % 3])
        if remark := found(comparison(got, right, extra)):
            yield str(remark)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_result_wrong_at_random_shows_nothing(form):
    """The bounds that the docstrings give, tried out."""
    assert list(said_at_random(form, 300)) == []


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_of_thousands_of_results_wrong_at_random_hardly_one_shows_something(form):
    count = 3000
    assert len(list(said_at_random(form, count))) <= CHANCE * count / 2


def test_a_single_number_is_compared_with_so_few_that_chance_stays_small():
    """2 ε for each candidate; the least loss of a share or an effect is of the same size as it."""
    for right, extra in (FORMS["a loss"], FORMS["an effect"]):
        seen = comparison(right, right, extra)
        candidates = len(list(familiar_factors(seen))) + len(symptoms.TRANSFORMS)
        parts = extra["given"].parts
        if parts is not None:
            candidates += 4 * len(parts) + 2 * len(list(symptoms.reductions(parts)))
        candidates += len(list(symptoms.arguments(seen)))
        assert 2 * symptoms.SCALAR * candidates < CHANCE, candidates


def test_a_right_result_shows_nothing():
    for right, extra in FORMS.values():
        assert found(comparison(right, right, extra)) is None


def test_what_is_said_is_one_sentence_without_a_long_number():
    for got, right, extra in SEEN.values():
        said = str(found(comparison(got, right, extra)))
        assert not re.search(r"\d\.\d{4}", said), said
