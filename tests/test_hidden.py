"""The hidden tests are tests themselves: every wrong solution loses what it should, every right one nothing."""

import types

import pytest
import torch

from autograder.hidden import NOTEBOOKS
from autograder.result import function_of
from autograder.sandbox import Reply, StudentFailed, adapters
from autograder.secret import TEST_SECRET, generator
from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.toy import toy_model
from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.catalogue.edit import METRICS

CASES = {}
for notebook in NOTEBOOKS.values():
    for case in (case for cell in notebook.cells.values() for case in cell if not case.of_files):     # those: test_own_fact.py
        CASES.setdefault(function_of(case.id), {})[case.id.partition(".")[2]] = case
NEEDS_MODEL = {"real", "reference", *METRICS}
ON_THE_MODEL = [function for function, cases in CASES.items() if NEEDS_MODEL & cases.keys()]


class NearBench:
    """A Bench whose student's function lies in this process: the adapters and the tests are the grader's own."""

    def __init__(self, code, function, real_model, shared, secret=TEST_SECRET):
        space = {"torch": torch, "record": record, "edit": edit}
        exec(code, space)
        self.function, self.real_model, self.shared, self.secret, self.test_id = space[function], real_model, shared, secret, ""

    def call(self, adapter="plain", tensors=None, options=None, seconds=None):
        tensors = {name: tensor.clone() for name, tensor in (tensors or {}).items()}
        arguments = [self.function, tensors, options or {}]
        if adapter == "model_function":
            spec = options["model"]
            arguments.append(self.real_model if isinstance(spec, str) else toy_model(**spec))
        try:
            reply = adapters.ADAPTERS[adapter](*arguments)
        except (RuntimeError, KeyholeError, ZeroDivisionError) as error:
            raise StudentFailed("raised", f"{type(error).__name__}: {error}") from None
        finally:
            for part in self.real_model.hf.modules() if self.real_model else ():
                part._forward_hooks.clear()
        return Reply({name: tensor.detach().clone() for name, tensor in reply.items()})

    def generator(self, *names):
        return generator(self.secret, self.test_id, *names)

    def model(self):
        return self.real_model


def outcomes(function, code, cases, real_model=None, secret=TEST_SECRET):
    """{case: Outcome, or the exception's text where the function itself broke}"""
    bench, found = NearBench(code, function, real_model, {}, secret), {}
    for name in cases:
        bench.test_id = f"{function}.{name}"
        try:
            found[name] = CASES[function][name].run(bench)
        except (StudentFailed, IndexError, ValueError, adapters.BadResult) as broken:
            found[name] = types.SimpleNamespace(passed=False, message=str(broken), misconception="broken", fraction=0.0)
    return found


def each(catalogue):
    return [pytest.param(function, name, id=f"{function}: {name}") for function in catalogue for name in catalogue[function]]


def judged(function, name, cases, real_model=None):
    misconception, expected, code = WRONG[function][name]
    found = outcomes(function, code, cases, real_model)
    expected = set(cases) if expected is ALL else expected & set(cases)
    failed = {case for case, outcome in found.items() if not outcome.passed}
    assert failed == expected, {case: found[case].message for case in failed ^ expected}
    named = {found[case].misconception for case in failed} - {"broken"}
    if misconception and failed - {"real"}:      # on the real model two misunderstandings may lie too close to be told apart
        assert misconception in named, {case: found[case].message for case in failed}


@pytest.mark.parametrize("function, name", each(WRONG))
def test_a_wrong_solution_loses_exactly_the_tests_it_should(function, name):
    judged(function, name, [case for case in CASES[function] if case not in NEEDS_MODEL])


@pytest.mark.parametrize("function, name", each(RIGHT))
def test_a_right_solution_written_differently_loses_nothing(function, name):
    found = outcomes(function, RIGHT[function][name], [case for case in CASES[function] if case not in NEEDS_MODEL])
    assert all(outcome.passed and outcome.fraction == 1 for outcome in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("function, name", each({name: WRONG[name] for name in ON_THE_MODEL}))
def test_a_wrong_solution_loses_on_the_real_model_too(function, name, real_model):
    judged(function, name, [case for case in CASES[function] if case in NEEDS_MODEL - METRICS], real_model)


@pytest.mark.slow
@pytest.mark.parametrize("function, name", each({name: RIGHT[name] for name in ON_THE_MODEL}))
def test_a_right_solution_loses_nothing_on_the_real_model(function, name, real_model):
    found = outcomes(function, RIGHT[function][name], [case for case in CASES[function] if case in NEEDS_MODEL], real_model)
    assert all(outcome.passed and outcome.fraction == 1 for outcome in found.values()), found


def test_every_hidden_test_is_failed_by_some_wrong_solution():
    caught = {f"{function}.{case}" for function, wrong in WRONG.items() for _, cases, _ in wrong.values()
              for case in (CASES[function] if cases is ALL else cases)}
    metrics = {f"rank_one_update.{name}" for name in METRICS}      # shown below, on the real model
    assert {case.id for cases in CASES.values() for case in cases.values()} <= caught | metrics


def test_points_add_up():
    points = {cell: sum(case.points for case in cases) for notebook in NOTEBOOKS.values() for cell, cases in notebook.cells.items()}
    assert points == {"test_sequence_nll": 5, "test_efficacy": 3, "test_neighborhood": 3, "test_edit_score": 2, "test_corrupt": 5, "test_restore": 5, "test_indirect_effect": 3, "test_trace": 14, "test_subject_key": 9, "test_second_moment": 6, "test_value_objective": 7, "test_rank_one_update": 8, "test_my_edit": 5, "test_write_edit": 6}


@pytest.mark.parametrize("function", RIGHT)
def test_another_secret_gives_other_inputs_and_the_same_verdicts(function):
    name, code = next(iter(RIGHT[function].items()))
    cases = [case for case in CASES[function] if case not in NEEDS_MODEL]
    found = outcomes(function, code, cases, secret=b"another secret")
    assert all(outcome.passed for outcome in found.values()), found
    assert not torch.equal(torch.rand(3, generator=generator(TEST_SECRET, "a")), torch.rand(3, generator=generator(b"another secret", "a")))
