"""The tiny calls that a student is shown where nothing else explains a mistake."""

import re

import pytest
import torch

from autograder.hidden import examples
from autograder.hidden.case import asked_again
from autograder.hidden.examples import CALLS, OF_MODELS, PATTERNS, SECONDS, SHOWS, example
from autograder.sandbox import StudentFailed
from autograder.validity.catalogue import RIGHT
from autograder.validity.solution import Solution
from keyhole import messages
from keyhole.checking import looks
from keyhole.checking.judging import right, wrong
from keyhole.checking.looks import Expected
from keyhole.messages import LANGUAGES
from tests.test_hidden import NearTrial
from tests.test_messages import length

SMOOTHED = """
def sequence_nll(logits, target_ids):
    return torch.nn.functional.cross_entropy(logits, target_ids, label_smoothing=0.1)
"""


def of(code, function="sequence_nll"):
    return NearTrial(Solution(function, "wrong", (code,)))


@pytest.mark.parametrize("function", CALLS)
@pytest.mark.slow
def test_a_right_solution_gets_all_of_them_right(function):
    assert len(CALLS[function]) <= 3 and 3 * SECONDS <= 2
    for solution in RIGHT:
        if solution.function == function:
            assert example(NearTrial(solution)) is None, solution.name


def test_the_first_call_that_comes_out_wrong_is_shown_with_both_results():
    said = str(example(of(SMOOTHED)))
    assert "`sequence_nll([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]], [0, 2])` gives 0.6002" in said
    assert "should give 0.0002468" in said


@pytest.mark.parametrize("function", sorted(CALLS.keys() - OF_MODELS))
def test_a_call_can_be_typed_as_it_is_told(function):
    """Lists become tensors but for one that is named: so the right solution gives what is right."""
    solution, names = next(each for each in RIGHT if each.function == function), {"torch": torch}
    for cell in solution.cells:
        exec(cell, names)
    for arguments in CALLS[function]:
        written, how = examples._written(function, arguments), str(examples._how(arguments))
        typed = eval(written.removeprefix(function).replace(")", ",)"), {"slice": slice})
        given = [
            torch.tensor(value) if isinstance(value, list) and f"`{name}`" not in how else value
            for name, value in zip(arguments, typed, strict=True)
        ]
        assert ("tensors for lists" in how) == any(isinstance(value, list) for value in typed)
        right = examples._right(function, arguments)
        got = torch.as_tensor(names[function](*given))
        assert examples._same(got, examples._suited(function, got, right, arguments))


@pytest.mark.parametrize("code", PATTERNS["trace"])
def test_which_kinds_of_map_are_wrong_is_said(code):
    passed, failed = PATTERNS["trace"][code]
    trial = of("def trace(model):\n    return model", "trace")
    trial.verdict = lambda test: wrong() if test.partition(".")[2] in failed else right()
    assert example(trial).code == code
    trial.verdict = lambda test: wrong()
    assert example(trial) is None


# Symptom -> (function, how it goes wrong). The right solution is `whole`.
EXPERIMENTS = {
    "zero_noise": ("trace", "return 0.9 * whole(*arguments)"),
    "last_state": (
        "trace",
        "values = whole(*arguments)\n"
        "    return values if not arguments[3].any() else values + 0.1 * (arguments[4][0] > 5)",
    ),
    "early_token": (
        "trace",
        "values = whole(*arguments)\n"
        "    return values if not arguments[3].any() else values + 0.1 * (arguments[4][0] < 3)",
    ),
    "bare_key": ("subject_key", "return 1.3 * whole(*arguments)"),
    "prefixed_key": (
        "subject_key",
        "*first, prefixes = arguments\n    return whole(*first, [''] * len(prefixes))",
    ),
    "averaged_key": (
        "subject_key",
        "*first, prefixes = arguments\n    return len(prefixes) ** 0.5 * whole(*arguments)",
    ),
    "other_moment": (
        "rank_one_update",
        "weight, moment, key, value = arguments\n"
        "    return whole(weight, torch.eye(len(key)), key, value)",
    ),
    "doubled": ("memit_update", "return whole(*arguments[:4], 1.0)"),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", EXPERIMENTS)
@pytest.mark.slow
def test_an_experiment_says_what_it_showed(code, language):
    messages.use(language)
    function, body = EXPERIMENTS[code]
    solution = next(each for each in RIGHT if each.function == function)
    wrong_one = f"whole = {function}\ndef {function}(*arguments):\n    {body}"
    remark = example(NearTrial(Solution(function, "wrong", (*solution.cells, wrong_one))))
    assert remark.code == code
    said = str(remark)
    assert f"{function}(" in said and len(said) < 300 and length(said) == 1


def test_every_symptom_of_an_experiment_has_one():
    assert {code for codes in SHOWS.values() for code in codes} - {"example"} == set(EXPERIMENTS)


def test_noise_in_the_wrong_order_is_told_by_its_order():
    code = """
def corrupt(embeddings, subject, noise):
    corrupted = embeddings.repeat(len(noise), 1, 1)
    corrupted[:, subject] += noise.flip(1)
    return corrupted
"""
    verdict = of(code, "corrupt").verdict("corrupt.middle")
    assert verdict.symptom == "noise_otherwise" and "reverse order" in verdict.message


def test_a_later_call_that_comes_out_wrong_is_told_by_its_argument():
    states = torch.ones(3, 4)
    first = Expected(states.double())
    later = asked_again(
        right(), first, {"a": 1, "b": 2}, {"b": 3}, lambda asked: ({"result": states * 1.3}, first)
    )
    assert later.symptom == "later_call" and "another `b` did not" in later.message


@pytest.mark.parametrize("counts_from_one", [True, False])
def test_a_name_that_the_next_call_contradicts_is_not_told(counts_from_one):
    """A choice of three is another's by chance; that does not happen in the next call, too."""

    def expected(number):
        wrongs = {
            "noise_of_first_sample": torch.tensor([number + 1]),
            "sum_of_keys": torch.tensor([2 * number]),
        }
        return Expected(torch.tensor([number]).double(), lambda: wrongs)

    def asked(arguments):
        number = arguments["number"]
        got = number + 1 if counts_from_one else 2 * number
        return {"result": torch.tensor([got])}, expected(number)

    first = looks.right_result(*asked({"number": 1.0}))
    assert first.fits == {"noise_of_first_sample", "sum_of_keys"}
    verdict = asked_again(first, expected(1.0), {"number": 1.0}, {"number": 5.0}, asked)
    assert verdict.misconception == ("noise_of_first_sample" if counts_from_one else "sum_of_keys")
    assert len(verdict.fits) == 1 and not verdict.passed


def test_a_name_stays_where_the_next_call_does_not_answer():
    def fails(arguments):
        raise StudentFailed("timeout")

    wrongs = {"sum_of_keys": torch.tensor([2.0])}
    first = Expected(torch.tensor([1.0]).double(), lambda: wrongs)
    verdict = first.judge(torch.tensor([2.0]))
    assert asked_again(verdict, first, {"a": 1}, {"a": 2}, fails).misconception == "sum_of_keys"


def test_a_mistake_in_a_sum_of_keys_is_told_beside_the_sum():
    """C may be a mean or a sum, so what is right is shown as the student has it."""
    code = "def second_moment(keys):\n    return keys.T @ keys + torch.outer(keys[0], keys[0])"
    verdict = of(code, "second_moment").verdict("second_moment.uncentred")
    told = str(example(of(code, "second_moment")))
    assert "gives [[11, 16], [16, 24]], and should give [[10, 14], [14, 20]]" in told
    assert float(re.search(r"off by ([\d.]+) %", verdict.message)[1]) < 20


def test_a_large_result_is_shown_by_its_shape():
    wide = "def indirect_effect(restored, corrupted):\n    return torch.zeros(9, 9)"
    assert "gives a tensor of shape (9, 9)" in str(example(of(wide, "indirect_effect")))


def test_nothing_is_shown_of_what_raises_or_takes_too_long():
    raising = "def sequence_nll(logits, target_ids):\n    raise ValueError(logits)"
    assert example(of(raising)) is None
    trial, asked = of(SMOOTHED), []

    def too_slow(*arguments, **more):
        asked.append(arguments)
        raise StudentFailed("timeout")

    trial.call = too_slow
    assert example(trial) is None and len(asked) == 1
