"""The search for v*: the same as by full forward passes, and clear about what it cannot do."""

from dataclasses import replace

import pytest
import torch

from autograder.oracle import editing
from bench.editing import textbook_value
from keyhole.errors import KeyholeError
from keyhole.values import Rewrite, ValueSettings, optimise_value

PROMPT, SUBJECT, PREFIXES = "The Big Tower is in", "Big Tower", ["", "I am. ", "You were not the. "]
REWRITE = Rewrite(PROMPT, SUBJECT, " R", PREFIXES)


@pytest.mark.parametrize("target", [" R", " Rome"])
def test_the_fast_search_is_the_textbook_one(toy, target):
    settings = ValueSettings(steps=6)
    rewrite = replace(REWRITE, target=target)
    fast = optimise_value(toy, 1, rewrite, editing.value_objective, settings)
    slow, losses = textbook_value(toy, 1, rewrite, settings)
    bias = toy.bias(1)
    torch.testing.assert_close(
        fast.value + (0 if bias is None else bias), slow, rtol=1e-4, atol=1e-5
    )
    assert fast.losses == pytest.approx(losses, rel=1e-3)


def test_v_star_makes_the_target_likely_once_w_gives_it_out(toy):
    search = optimise_value(
        toy, 1, REWRITE, editing.value_objective, ValueSettings(steps=25, clamp=20)
    )
    key = editing.subject_key(toy, 1, PROMPT, SUBJECT, [""])
    weight = toy.weight(1).detach().double()
    change = torch.outer(search.value.double() - weight @ key, key) / (key @ key)
    [wanted] = toy.encode([" R"])
    before = toy.next_token_probabilities([PROMPT])[0, wanted[0]]
    with toy.edited(1, change.float()):
        assert toy.next_token_probabilities([PROMPT])[0, wanted[0]] > before


def test_blanks_around_the_subject_do_not_count(toy):
    values = [
        optimise_value(toy, 1, rewrite, editing.value_objective, ValueSettings(steps=3)).value
        for rewrite in (REWRITE, replace(REWRITE, subject=f" {SUBJECT} "))
    ]
    assert torch.equal(*values)


def test_two_runs_agree_to_the_bit(toy):
    runs = [
        optimise_value(toy, 1, REWRITE, editing.value_objective, ValueSettings(steps=3))
        for _ in range(2)
    ]
    assert torch.equal(runs[0].value, runs[1].value)


def test_delta_stays_within_the_clamp(toy):
    search = optimise_value(
        toy, 1, REWRITE, editing.value_objective, ValueSettings(steps=9, clamp=0.1)
    )
    start = optimise_value(toy, 1, REWRITE, editing.value_objective, ValueSettings(steps=1)).value
    bias = 0 if toy.bias(1) is None else toy.bias(1)
    assert (search.value - start).norm() <= 0.1001 * (start + bias).norm()


@pytest.mark.parametrize(
    "objective, sentence",
    [
        (lambda *_: 3.0, "not a scalar tensor"),
        (lambda t, *_: t, "not a scalar tensor"),
        (lambda t, *_: t.mean() * float("nan"), "returned nan"),
        (lambda t, *_: t.mean().detach(), "does not depend on delta"),
    ],
)
def test_an_objective_that_cannot_be_minimised_is_named(toy, objective, sentence):
    with pytest.raises(KeyholeError, match=sentence):
        optimise_value(toy, 1, REWRITE, objective)


def test_a_gradient_that_is_no_number_at_delta_zero_is_named(toy):
    def rooted(target, now, before, delta, start, kl_weight, decay):
        return -target.mean() + decay * delta.square().sum().sqrt() / start.norm() ** 2

    with pytest.raises(KeyholeError, match=r"Compute \|delta\| with `delta.norm"):
        optimise_value(toy, 1, REWRITE, rooted)


def test_bad_arguments_are_named(toy):
    for layer, change, sentence in (
        (1, {"prefixes": ["I am. "]}, "empty prefix"),
        (1, {"target": ""}, "no tokens"),
        (1, {"subject": "Small Tower"}, "does not occur"),
        (7, {}, "layer 7 does not exist"),
    ):
        with pytest.raises(KeyholeError, match=sentence):
            optimise_value(toy, layer, replace(REWRITE, **change), editing.value_objective)
