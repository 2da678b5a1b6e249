"""One diagnosis a function: explanations that contradict a better one are not shown."""

from dataclasses import replace

import pytest
import torch

from autograder.hidden import locate, locate_wrongs
from autograder.validity.solution import Solution
from keyhole.checking.diagnosis import leading, together
from keyhole.checking.judging import cause_of, judge, right, told_apart, wrong
from keyhole.checking.looks import Expected
from keyhole.checking.symptoms import Given
from keyhole.messages import Remark
from tests.test_hidden import NearTrial
from tests.test_notebook import of


def verdict(named, *others, misses=()):
    """A failing verdict: the misconceptions that give its result, and those that would not."""
    return replace(
        wrong(misconception=named), fits=frozenset([named, *others]), misses=frozenset(misses)
    )


def names(*verdicts):
    return [each.misconception for each in together(verdicts)]


def test_the_sign_is_not_called_wrong_and_then_taken_away():
    reversed_twice = verdict("effect_reversed", misses=["effect_absolute"])
    lost = verdict("effect_absolute", misses=["effect_reversed"])
    assert names(reversed_twice, reversed_twice, lost) == ["effect_reversed"] * 2 + [None]


def test_one_sample_is_not_called_the_first_and_then_the_largest():
    """The first sample is the largest of one test, and only the first explains both."""
    largest = verdict("cells_of_best_sample", "trace_of_first_sample")
    first = verdict("trace_of_first_sample", misses=["cells_of_best_sample"])
    assert names(largest, first) == ["trace_of_first_sample"] * 2
    assert names(first, largest) == ["trace_of_first_sample"] * 2


def test_what_would_have_passed_a_test_that_nothing_explains_is_not_told():
    cut_off = verdict("scale_clamped")
    other = replace(wrong(), excludes=frozenset(["scale_clamped"]))
    assert names(cut_off, cut_off, other) == [None] * 3
    explained = replace(verdict("after_scaled"), excludes=other.excludes)
    assert names(cut_off, cut_off, explained)[:2] == ["scale_clamped"] * 2
    # Maps of states and maps of windows are made by different lines.
    states = replace(wrong(), excludes=frozenset(["window_upward"]))
    assert names(verdict("window_upward"), states) == ["window_upward", None]


def test_what_would_have_passed_is_known_in_every_scale():
    """C may be a mean or a sum. A misconception may give the right one of either."""
    due = torch.tensor([1.0, 2.0, 4.0]).double()
    results = told_apart({"moment_centred": due, "moment_omitted": due.flip(0)}, due)
    expected = Expected(due, lambda: results, scales=(1, 5))
    for scale in expected.scales:
        verdict = expected.judge(scale * due.flip(0))
        assert verdict.misconception == "moment_omitted"
        assert verdict.excludes == {"moment_centred"}


def test_what_contradicts_as_many_tests_as_it_explains_is_not_told():
    other = replace(wrong(), misses=frozenset(["last_layer_not_counted"]))
    assert names(verdict("last_layer_not_counted"), other) == [None, None]
    twice = [verdict("last_layer_not_counted")] * 2
    assert names(*twice, other) == ["last_layer_not_counted"] * 2 + [None]


def test_zeros_are_not_called_rounded():
    restored, corrupted = torch.tensor([0.02, 0.03]), torch.tensor([0.01, 0.02])
    mistaken = locate_wrongs.indirect_effect(restored, corrupted)
    assert not any(name.startswith("effect_rounded:1") for name in mistaken)
    got = judge(torch.zeros(()), torch.tensor(0.01).double(), lambda: mistaken)
    assert got.misconception != "effect_rounded"


ALONE = """
def corrupt(embeddings, subject, noise):
    return embeddings

def helper(states):
    return {call}

def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    return [helper(layer) for layer in layers]
"""


@pytest.mark.parametrize("call, rests", [("states", False), ("corrupt(states, None, 0)", True)])
def test_corrupt_is_named_only_where_trace_calls_it(call, rests):
    found = of(ALONE.format(call=call))
    assert found.rests_on("trace", "corrupt") == rests
    assert not found.rests_on("trace", "restore") and not found.rests_on("trace", "trace")
    trial = NearTrial(Solution("trace", "alone", (ALONE.format(call=call),)))
    trial.rests_on = lambda name: found.rests_on("trace", name)
    hints = [remark.code for remark in locate._built(trial, wrong()).remarks]
    assert hints == ["built_on"] * rests


def test_a_second_mistake_in_other_tests_is_named_too():
    states, window = verdict("layer_below_restored"), verdict("window_one_short")
    assert names(states, window) == ["layer_below_restored", "window_one_short"]


def test_a_mistake_with_which_another_test_would_not_have_failed_is_not_named():
    chance = replace(verdict("all_or_nothing"), single=True)
    other = replace(wrong(), excludes=frozenset(["all_or_nothing"]))
    assert names(chance, chance, other) == [None] * 3
    assert names(chance, chance, right()) == ["all_or_nothing"] * 2 + [None]


def test_what_a_call_left_behind_stays_beside_the_diagnosis():
    changed = wrong(misconception="hooks_left")
    assert names(verdict("layer_below_restored"), changed) == ["layer_below_restored", "hooks_left"]


def test_a_factor_that_differs_from_test_to_test_is_said_as_that():
    states = torch.randn(4, 5).double()
    off = [Expected(states).judge(times * states) for times in (1.3, 2.7)]
    assert [each.symptom for each in off] == ["factor"] * 2
    assert [each.symptom for each in together(off)] == ["factor_varies"] * 2
    assert [each.symptom for each in together(off[:1])] == ["factor"]


def test_where_only_the_change_is_right_but_for_a_factor_the_result_is_not_said_to_be():
    before, states = torch.randn(2, 4, 5).double()
    off = [
        Expected(states, origin=before).judge(before + times * (states - before))
        for times in (1.3, 2.7)
    ]
    assert [each.symptom for each in off] == ["factor_of_change"] * 2
    assert [each.symptom for each in together(off)] == ["change_varies"] * 2


def test_a_part_that_one_of_several_tests_leaves_out_is_not_told():
    """Negative effects taken for 0: where one sample alone has one, it seems to be left out."""
    given = [torch.tensor(each).double() for each in ([0.31, 0.23, -0.17], [0.31, -0.2, -0.13])]
    off = [
        Expected(each.mean(), given=Given("indirect_effect", {}, lambda each=each: each)).judge(
            each.relu().mean()
        )
        for each in given
    ]
    assert [each.symptom for each in off] == ["part_uncounted", None]
    assert [each.symptom for each in together(off)] == [None, None]
    assert [each.symptom for each in together(off[:1])] == ["part_uncounted"]
    assert [each.symptom for each in together([off[0], off[0]])] == ["part_uncounted"] * 2


def test_a_factor_is_what_it_is_in_all_tests():
    """Of two samples N / (N − 1) is 2, too."""
    effects = [torch.rand(count).double() + 1 for count in (2, 7)]
    off = [
        Expected(each.mean(), given=Given("indirect_effect", {"restored": each})).judge(
            each.sum() / (len(each) - 1)
        )
        for each in effects
    ]
    assert "2 times" in off[0].message
    assert all("N / (N − 1)" in each.message for each in together(off))


def symptoms(*observed):
    """What is left of symptoms, each of one test, when they are judged together."""
    verdicts = [
        replace(wrong(), observed=code and Remark(code, details, "SYMPTOMS"))
        for code, details in observed
    ]
    return [each.symptom for each in together(verdicts)]


def test_a_second_misconception_is_not_told_even_where_it_fits_another_test():
    early = verdict("noise_one_token_early")
    assert names(early, early, verdict("noise_at_beginning")) == ["noise_one_token_early"] * 2 + [
        None
    ]
    kept = verdict("input_changed")  # true whatever the result is
    assert names(early, kept) == ["noise_one_token_early", "input_changed"]
    both = ["nothing_corrupted", "cells_all_clean"]
    assert names(*map(verdict, both)) == both


def test_of_symptoms_the_one_that_most_tests_show_is_told():
    rounded, zero = ("rounded", {"decimals": 2}), ("zero", {})
    assert symptoms(zero, rounded, rounded) == [None, "rounded", "rounded"]
    other = ("rounded", {"decimals": 3})
    assert symptoms(rounded, other) == ["rounded", None]
    example = ("example", {"call": "", "got": "", "right": ""})
    assert symptoms(zero, example, (None, {})) == ["zero", "example", None]


def test_what_is_wrong_leads_before_what_an_error_means():
    misfit, wrong_way = (wrong(misconception=each) for each in ("shapes_mismatch", "step_uphill"))
    assert leading([misfit, misfit, wrong_way]) is wrong_way
    assert leading([wrong(), misfit, misfit]) is misfit
    text = "RuntimeError: The size of tensor a (5) must match the size of tensor b (8)"
    assert cause_of("rate_update", text) == "rates_on_columns"
    assert cause_of("corrupt", text) == "shapes_mismatch"


def test_beside_a_misconception_no_symptom_is_told():
    sign = replace(wrong(), observed=Remark("sign", {}, "SYMPTOMS"))
    found = together([verdict("effect_absolute"), sign])
    assert [(each.misconception, each.symptom) for each in found] == [
        ("effect_absolute", None),
        (None, None),
    ]
