"""The hidden tests near at hand: wrong solutions of the catalogue lose what they should.

The feedback tells the student why. A right solution loses nothing.

Here students' functions lie in this process; `autograder validity` hands the same solutions in to
the real grader.
"""

from copy import copy
from dataclasses import replace
from functools import cache

import pytest
import torch

from autograder.grade import WORD, words_of
from autograder.hidden import NOTEBOOKS, many
from autograder.hidden import edit as hidden_edit
from autograder.sandbox import Reply, StudentFailed
from autograder.secret import TEST_SECRET, generator
from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.catalogue.edit import METRICS
from autograder.validity.report import NAMED_SHARE
from autograder.validity.run import case_of, hidden_tests
from keyhole import messages
from keyhole.checking.adapters import ADAPTERS, LEFT_BEHIND, BadResult
from keyhole.checking.diagnosis import together
from keyhole.checking.judging import cause_of, wrong
from keyhole.errors import KeyholeError
from keyhole.hooks import edit, record
from keyhole.messages.en import MISCONCEPTIONS
from keyhole.toy import toy_model
from tests.test_messages import is_chinese, length

CASES = {
    function: {case_of(case.id): case for case in cases}
    for function, cases in hidden_tests().items()
}
NEEDS_MODEL = {"real", "reference", *METRICS}
OTHER_SECRET = b"another secret"
# What a message may say of the arguments: the kind of map, or of editor.
MAY_BE_TOLD = {"state", "attention", "full", "diagonal", "rows", "factors"}
QUICK = {
    "last subject token only",
    "the layer's input",
    "wraps around",
    "not clipped at the end",
    "as in the notebook",
    "a row in one batch",
    "transposed",
    "letters for tokens",
}  # of trace, whose maps take half a second


class NearTrial:
    """A Trial whose student's function is here; the adapters and tests are the grader's."""

    def __init__(self, solution, real_model=None, secret=TEST_SECRET):
        space = {"torch": torch, "record": record, "edit": edit}
        for cell in solution.cells:
            exec(cell, space)
        self.function, self.call_it, self.real_model = (
            solution.function,
            space[solution.function],
            real_model,
        )
        self.secret, self.test_id, self.sent = secret, "", []
        self.verdicts, self.made, self.toys, self.ran = {}, {}, [], {}

    def call(self, adapter="plain", tensors=None, options=None, seconds=None):
        self.sent.append((tensors or {}, options or {}))
        tensors = {name: tensor.clone() for name, tensor in (tensors or {}).items()}
        arguments = [self.call_it, tensors, options or {}]
        if adapter == "model_function":
            spec = options["model"]
            arguments.append(self.real_model if isinstance(spec, str) else self._toy(spec))
        try:
            reply = ADAPTERS[adapter](*arguments)
        except (
            RuntimeError,
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            NameError,  # UnboundLocalError, too
            KeyholeError,
            ZeroDivisionError,
        ) as error:
            problem = error.code if isinstance(error, KeyholeError) else None
            raise StudentFailed("raised", f"{type(error).__name__}: {error}", problem) from None
        else:
            if any(map(reply.get, LEFT_BEHIND)):
                self.toys.clear()
        finally:
            for part in self.real_model.hf.modules() if self.real_model else ():
                part._forward_hooks.clear()
                vars(part).pop(
                    "_output_capturing_hooks_installed", None
                )  # transformers' note that its own are there
        return Reply({name: tensor.detach().clone() for name, tensor in reply.items()})

    def _toy(self, spec):
        """As in the child: the same object for calls with the same specification in a row."""
        if spec not in self.toys:
            self.toys[:] = [spec, toy_model(**spec)]
        return self.toys[1]

    def generator(self, *names):
        return generator(self.secret, self.test_id, *names)

    def model(self):
        return self.real_model

    def verdict(self, test_id):
        """Of the other functions everything is wrong: then messages are longest."""
        if not test_id.startswith(f"{self.function}."):
            return wrong()
        if test_id not in self.verdicts:
            self.verdicts[test_id] = self.of(test_id).run()
        return self.verdicts[test_id]

    def rests_on(self, name):
        return True

    def once(self, kind):
        if kind not in self.made:
            self.made[kind] = kind(self)
        return self.made[kind]

    def of(self, test_id):
        """The trial for another hidden test."""
        other = copy(self)
        other.test_id, other.sent = test_id, []
        return other

    def run(self):
        """The verdict of the hidden test; an error is one, too, as in the grader."""
        try:
            return CASES[self.function][case_of(self.test_id)].run(self)
        except (StudentFailed, BadResult) as broken:
            problem = getattr(broken, "problem", None)
            cause = cause_of(self.function, broken.detail, problem)
            return replace(wrong(misconception=cause), status="error")


@cache
def trial_without_model(solution, secret):
    """Many tests ask for the same cases of a solution, each of which runs once."""
    return NearTrial(solution, secret=secret)


@pytest.fixture(scope="module", autouse=True)
def made_once():
    """What is compared with takes longest, and is the same for each solution of a function."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (many.wrongs, "memit_update"),
            (hidden_edit.wrongs, "rank_one_update"),
        ):
            patch.setattr(module, name, kept_for_the_real_model(getattr(module, name)))
        for module in (many, hidden_edit):
            patch.setattr(module, "load_moment", cache(module.load_moment))
        for module in (hidden_edit.editing, hidden_edit.wrongs):
            patch.setattr(module, "subject_key", kept_for_each_prompt(module.subject_key))
        yield


def kept_for_each_prompt(function):
    """The function, which keeps what it gave for a model and a prompt."""
    kept = {}

    def found(model, **asked):
        key = model, repr(asked)
        if key not in kept:
            kept[key] = function(model, **asked)
        return kept[key]

    return found


def kept_for_the_real_model(function):
    """The function, which keeps what it gave for large weights."""
    kept = {}

    def found(**problem):
        if problem["weight"].numel() < 1e5:
            return function(**problem)
        asked = tuple(
            each.detach().numpy().tobytes() if isinstance(each, torch.Tensor) else each
            for name, each in problem.items()
            if name not in ("weight", "moment")
        )
        if asked not in kept:
            kept[asked] = function(**problem)
        return kept[asked]

    return found


def outcomes(solution, cases, real_model=None, secret=TEST_SECRET):
    """{case: Verdict}, and what was sent to the function in each case."""
    if real_model or secret not in (TEST_SECRET, OTHER_SECRET):
        first = NearTrial(solution, real_model, secret)
    else:
        first = trial_without_model(solution, secret)
    for name in cases:
        if name not in first.ran:
            trial = first.of(f"{solution.function}.{name}")
            first.ran[name] = trial.run(), trial.sent
    found, sent = ({name: first.ran[name][part] for name in cases} for part in (0, 1))
    return found, sent


def far_from_the_model(function):
    return [case for case in CASES[function] if case not in NEEDS_MODEL]


def on_the_model(function, of=NEEDS_MODEL):
    return [case for case in CASES[function] if case in of]


@cache
def verdicts(solution, secret):
    """{case: (passed, misconception)} of the cases without the real model."""
    found, sent = outcomes(solution, far_from_the_model(solution.function), secret=secret)
    # One secret's messages are read in English, the other's in Chinese.
    messages.use("zh-TW" if secret == OTHER_SECRET else "en")
    for case, outcome in found.items():
        if outcome.status != "error":  # what a student's error says is told apart by the grader
            message = outcome.message
            assert length(message) <= 3, message
            assert bool(is_chinese(message)) == (secret == OTHER_SECRET), message
            sent_words = {word for _, options in sent[case] for word in words_of(options)}
            told = sent_words.intersection(WORD.findall(message))
            assert told <= MAY_BE_TOLD, (case, message)
    messages.use("en")
    return {case: (outcome.passed, outcome.misconception) for case, outcome in found.items()}


def each(
    solutions,
    only=lambda solution: True,
    slow=lambda solution: solution.function == "trace" and solution.name not in QUICK,
):
    return [
        pytest.param(
            solution,
            id=f"{solution.function}: {solution.name}",
            marks=[pytest.mark.slow] if slow(solution) else [],
        )
        for solution in solutions
        if not solution.files and only(solution)
    ]


def loses_what_it_should(solution, lost, cases):
    must = solution.must_fail(cases)
    assert (lost ^ must) - solution.may_fail == set(), {"lost": lost - must, "kept": must - lost}


@pytest.mark.parametrize("solution", each(WRONG))
def test_a_wrong_solution_loses_exactly_the_tests_it_should_and_is_told_why(solution):
    found = verdicts(solution, TEST_SECRET)
    lost = {case for case, (passed, _) in found.items() if not passed}
    loses_what_it_should(solution, lost, found)
    if solution.misconception and lost:
        assert solution.misconception in {found[case][1] for case in lost}, found


@pytest.mark.parametrize("solution", each(WRONG, lambda solution: solution.misconception is None))
def test_what_has_no_name_is_not_given_that_of_another(solution):
    """Its tests are judged together, as the grader does."""
    found, _ = outcomes(solution, far_from_the_model(solution.function), secret=TEST_SECRET)
    assert {each.misconception for each in together(list(found.values()))} == {None}


@pytest.mark.parametrize("solution", each(RIGHT))
def test_a_right_solution_written_differently_loses_nothing(solution):
    found, _ = outcomes(solution, far_from_the_model(solution.function))
    assert all(outcome.passed and outcome.fraction == 1 for outcome in found.values()), found


# One for each set of tests that solutions of a function lose; `autograder validity` takes them all.
ONE_OF_A_SORT = {(solution.function, solution.fails): solution for solution in WRONG}.values()


@pytest.mark.slow
@pytest.mark.parametrize(
    "solution", each(ONE_OF_A_SORT, lambda solution: on_the_model(solution.function))
)
def test_a_wrong_solution_loses_on_the_real_model_too(solution, real_model):
    cases = on_the_model(solution.function, NEEDS_MODEL - METRICS)  # metrics: `autograder validity`
    found, _ = outcomes(solution, cases, real_model)
    loses_what_it_should(
        solution, {case for case, outcome in found.items() if not outcome.passed}, cases
    )


@pytest.mark.slow
@pytest.mark.parametrize("solution", each(RIGHT, lambda solution: on_the_model(solution.function)))
def test_a_right_solution_loses_nothing_on_the_real_model(solution, real_model):
    # A solution whose matrices agree with the references has their metrics too. Here they are
    # measured for one solution of each function; `autograder validity` does it for all.
    cases = on_the_model(
        solution.function,
        NEEDS_MODEL - (set() if solution is FIRST_OF_EACH[solution.function] else METRICS),
    )
    found, _ = outcomes(solution, cases, real_model)
    assert all(outcome.passed and outcome.fraction == 1 for outcome in found.values()), found


@pytest.mark.slow
@pytest.mark.parametrize("right_until, asked", [(8, 3), (3, 3), (2, 8), (0, 8)])
def test_only_whoever_has_the_first_references_right_is_not_asked_for_the_others(
    right_until, asked, real_model
):
    trial, calls = NearTrial(FIRST_OF_EACH["rank_one_update"], real_model), []
    right_one = trial.call_it

    def update(weight, moment, key, value):
        calls.append(key)
        return right_one(weight, moment, key, value) if len(calls) <= right_until else weight

    trial.call_it = update
    mine = trial.once(hidden_edit.ReferenceUpdates)
    assert len(calls) == len(mine.updates) == asked
    assert len(mine.wrong) == max(asked - right_until, 0)
    assert hidden_edit.update_reference(trial).fraction == min(right_until / asked, 1)


# ---------------------------------------------------------------- another secret

TRACES = [solution for solution in (*WRONG, *RIGHT) if solution.function == "trace"]
# A trace takes a second, so every sixth is graded here. `autograder validity --secret` grades all
# of them under another secret.
UNDER_TWO = [
    solution
    for solution in (*WRONG, *RIGHT)
    if solution not in TRACES or TRACES.index(solution) % 6 == 0
]


@pytest.mark.slow
@pytest.mark.parametrize("solution", each(UNDER_TWO))
def test_under_another_secret_every_verdict_is_the_same_and_the_misunderstanding_is_told(solution):
    found, again = (verdicts(solution, secret) for secret in (TEST_SECRET, OTHER_SECRET))
    assert {case: passed for case, (passed, _) in found.items()} == {
        case: passed for case, (passed, _) in again.items()
    }
    names = [{name for _, name in verdict.values()} for verdict in (found, again)]
    assert solution.misconception not in names[0] or solution.misconception in names[1], again


@pytest.mark.slow
def test_under_another_secret_the_names_are_the_same_but_for_a_few():
    """Secrets whose numbers let two misunderstandings give nearly the same result are few."""
    pairs = [
        (solution.function, solution.name, case, found[1], again[1])
        for solution in UNDER_TWO
        if solution.mistake and not solution.files
        for (case, found), again in zip(
            verdicts(solution, TEST_SECRET).items(),
            verdicts(solution, OTHER_SECRET).values(),
            strict=True,
        )
    ]
    differing = [pair for pair in pairs if pair[-1] != pair[-2]]
    assert len(differing) <= 0.01 * len(pairs), differing


@pytest.mark.slow
@pytest.mark.parametrize(
    "solution",
    each(WRONG, lambda solution: solution.name in ("the best token", "unconstrained rank")),
)
def test_what_is_drawn_never_lets_a_wrong_solution_through(solution):
    """Rare draws must not matter, such as the likeliest token for a target."""
    cases = far_from_the_model(solution.function)
    for secret in range(50):
        found, _ = outcomes(solution, cases, secret=b"course secret %d" % secret)
        loses_what_it_should(
            solution, {case for case, outcome in found.items() if not outcome.passed}, cases
        )


@pytest.mark.parametrize(
    "solution", each(WRONG, lambda solution: solution.function == "indirect_effect")
)
@pytest.mark.slow
def test_what_is_wrong_with_an_effect_shows_whatever_numbers_are_drawn(solution):
    for number in range(30):
        found, _ = outcomes(solution, CASES["indirect_effect"], secret=b"%d" % number)
        lost = {
            case: outcome.misconception for case, outcome in found.items() if not outcome.passed
        }
        assert lost == dict.fromkeys(solution.must_fail(found), solution.misconception), number


@pytest.mark.slow
def test_noise_of_its_own_is_told_of_noise_that_was_drawn_and_of_nothing_else():
    for solution in WRONG:
        if solution.function == "trace":
            found, _ = outcomes(solution, ["given_noise"])
            assert (found["given_noise"].misconception == "noise_of_its_own") == (
                solution.misconception == "noise_of_its_own"
            ), solution.name


FIRST_OF_EACH = {solution.function: solution for solution in reversed(RIGHT) if not solution.files}
SAME_FOR_ALL = {"edit_score.nothing"}  # three zeros


@pytest.mark.parametrize("function", FIRST_OF_EACH)
def test_another_secret_gives_other_inputs_and_the_same_verdicts(function):
    solution, cases = FIRST_OF_EACH[function], far_from_the_model(function)
    (found, sent), (again, other) = (
        outcomes(solution, cases, secret=secret) for secret in (TEST_SECRET, OTHER_SECRET)
    )
    assert {case: outcome.passed for case, outcome in found.items()} == {
        case: outcome.passed for case, outcome in again.items()
    }
    for case in cases:
        if f"{function}.{case}" not in SAME_FOR_ALL:
            for (tensors, options), (others, other_options) in zip(
                sent[case], other[case], strict=True
            ):
                drawn = [
                    name for name, tensor in tensors.items() if tensor.any()
                ]  # a noise of nothing is one
                assert drawn or options != other_options
                assert not any(torch.equal(tensors[name], others[name]) for name in drawn), case


@pytest.mark.slow
@pytest.mark.parametrize(
    "function", [function for function, cases in CASES.items() if "real" in cases]
)
def test_another_secret_gives_other_inputs_on_the_real_model_too(function, real_model):
    (found, sent), (again, other) = (
        outcomes(FIRST_OF_EACH[function], ["real"], real_model, secret)
        for secret in (TEST_SECRET, OTHER_SECRET)
    )
    assert found["real"].passed and again["real"].passed
    [(tensors, options)], [(others, other_options)] = sent["real"], other["real"]
    assert options.get("values") != other_options.get("values") or any(
        not torch.equal(tensors[name], others[name]) for name in tensors
    )


# ---------------------------------------------------------------- the catalogue as a whole


def test_the_catalogue_is_large_enough_and_says_of_each_what_was_misunderstood():
    functions = set(CASES)
    assert (
        len(WRONG) >= 45
        and len(RIGHT) >= 20
        and functions
        == {solution.function for solution in WRONG}
        == {solution.function for solution in RIGHT}
    )
    for solutions in (WRONG, RIGHT):
        titles = [(solution.function, solution.name) for solution in solutions]
        assert len(set(titles)) == len(titles)
    for solution in WRONG:
        assert (
            10 < len(solution.mistake) < 100
            and "\n" not in solution.mistake
            and solution.mistake[-1] not in ".!"
        )
        assert solution.misconception is None or solution.misconception in MISCONCEPTIONS
        assert solution.fails and (
            solution.must_fail(CASES[solution.function]) == solution.fails
            or len(solution.fails) == 1
        ), solution.name
        assert (
            not solution.must_fail(CASES[solution.function]) & solution.may_fail or solution.files
        )
    assert not any(solution.mistake or solution.fails for solution in RIGHT)


def test_most_misunderstandings_have_a_name():
    named = [solution for solution in WRONG if solution.misconception]
    assert len(named) >= NAMED_SHARE * len(WRONG)
    assert {solution.misconception for solution in named} == set(
        MISCONCEPTIONS
    )  # none that nothing shows


def test_every_hidden_test_is_failed_by_some_wrong_solution():
    caught = {
        f"{solution.function}.{case}"
        for solution in WRONG
        for case in solution.must_fail(CASES[solution.function])
    }
    assert {f"{function}.{case}" for function, cases in CASES.items() for case in cases} == caught


def test_points_add_up():
    points = {
        cell: sum(case.points for case in cases)
        for notebook in NOTEBOOKS.values()
        for cell, cases in notebook.cells.items()
    }
    assert points == {
        "test_sequence_nll": 5,
        "test_efficacy": 3,
        "test_neighborhood": 3,
        "test_edit_score": 2,
        "test_corrupt": 5,
        "test_restore": 5,
        "test_indirect_effect": 3,
        "test_trace": 14,
        "test_subject_key": 9,
        "test_second_moment": 6,
        "test_value_objective": 7,
        "test_rank_one_update": 8,
        "test_my_edit": 5,
        "test_write_edit": 6,
        "test_demonstrations": 1,
        "test_locality_loss": 1,
        "test_scaled_change": 1,
        "test_memit_update": 2,
        "test_spread_residual": 1,
        "test_null_space_projector": 1,
        "test_alphaedit_update": 1,
        "test_gradient_from_factors": 2,
        "test_editor_parameters": 1,
        "test_rate_update": 1,
        "test_transform_factors": 2,
        "test_low_rank_output": 1,
        "test_editor_loss": 1,
    }
