"""The public checks and both catalogues: which wrong solutions they let through."""

import pytest

from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.contradictions import contradictions
from autograder.validity.run import IMPORTS
from keyhole.checking.checks import examine
from keyhole.checking.student import Student

# Why no public check fails them -> the wrong solutions, "function: name". The hidden tests fail
# them all.
LET_THROUGH = {
    "No public case has target tokens as improbable as 1e-20.": {"sequence_nll: epsilon"},
    "No public check calls a function twice with one other argument.": {
        "sequence_nll: kept by target",
        "efficacy: kept by the true answers",
        "neighborhood: kept by the new answers",
        "edit_score: kept by two shares",
        "corrupt: kept by subject",
        "restore: kept by states",
        "indirect_effect: kept by restored",
        "trace: kept but for the window",
        "trace: kept but for the noise",
        "trace: kept but for the model",
        "subject_key: kept by prompt and subject",
        "subject_key: kept but for the layer",
        "subject_key: kept but for the prefixes",
        "subject_key: kept but for the model",
        "second_moment: kept by shape",
        "value_objective: kept by delta",
        "rank_one_update: kept by W and k*",
        "write_edit: kept by shape",
    },
    "No public case whose result counts has the token 0.": {
        "sequence_nll: 0 for padding",
        "sequence_nll: 0 masked",
    },
    "In no public case are two tokens side by side equal.": {
        "sequence_nll: neighbors collapsed",
        "sequence_nll: neighbors collapsed, first rows",
    },
    "No public case has shares near 0.": {
        "edit_score: nearly 0",
        "edit_score: close to 0",
        "edit_score: small shares left out",
    },
    "The windows of the public cases are 3, 4 and 5 layers wide.": {
        "trace: at least two layers",
        "trace: at most six layers",
        "trace: odd windows only",
    },
    "In every public case there is something to change.": {
        "corrupt: a view without noise",
        "restore: the caller's own",
        "rank_one_update: the caller's W",
    },
    "In every public case torch tracks the gradient of the module's weight.": {
        "write_edit: tracking turned on"
    },
    "No public case has a Linear with a bias.": {
        "write_edit: bias of a Linear zeroed",
        "write_edit: bias of a Linear removed",
    },
    "No public case has likelihoods that are nearly equal.": {
        "efficacy: rounded",
        "efficacy: isclose is a tie",
        "neighborhood: clearly",
    },
    "In every public case of `corrupt` some tokens follow the subject.": {
        "corrupt: negative slice"
    },
    "Every public case of `restore` has four samples.": {"restore: a loop over four"},
    "In every public case of `trace` each letter is one token.": {"trace: letters for tokens"},
    "Every public case of `trace` has three samples.": {"trace: three samples"},
    "In every public case the keys are too large for a little of the identity to show.": {
        "second_moment: identity added"
    },
    "No public case has keys of a size of 1,000.": {"rank_one_update: clipped key"},
    "The public check of Ŵ is not strict enough to see half precision in its change.": {
        "rank_one_update: change in half precision"
    },
    "No public case asks for the gradient at a delta of zero.": {
        "value_objective: root of the squares"
    },
    "No public case of the objective asks whether its arguments are kept.": {
        "value_objective: the length in place",
        "value_objective: |v0| tracked",
    },
    "The public checks of notebook 4 call no function twice with one other argument.": {
        "demonstrations: kept by the number of keys",
        "locality_loss: kept by the target",
        "scaled_change: kept by the scale",
        "memit_update: kept by W and keys",
        "memit_update: kept but for the weight of the old",
        "alphaedit_update: kept but for the earlier keys",
    },
    "Nor do those of notebook 5.": {
        "gradient_from_factors: kept by the inputs",
        "editor_parameters: hard coded",
        "editor_parameters: kept by the kind",
        "transform_factors: kept by the tokens",
        "editor_loss: 0 not wanted",
        "editor_loss: kept by the edit",
    },
    "No public case of `rate_update` asks whether its arguments are kept.": {
        "rate_update: in place"
    },
    "No public case of `rate_update` has a negative rate.": {
        "rate_update: absolute rates",
        "rate_update: no rate below 0",
    },
    "No public case of `low_rank_output` is too wide for a matrix.": {"low_rank_output: a matrix"},
    "No public case of `scaled_change` asks for a scale of 0 or 1.": {
        "scaled_change: nothing to do"
    },
}
TITLES = {title for titles in LET_THROUGH.values() for title in titles}
FUNCTIONS = dict.fromkeys(solution.function for solution in WRONG if not solution.files)
SLOW = ("trace",)  # its catalogue takes half a minute


def passes(solution):
    """Whether every public check passes the solution; its card must not contradict itself."""
    student = Student("\n\n\n".join((IMPORTS, *solution.cells)))
    report = examine(solution.function, student.function(solution.function))
    assert contradictions("\n".join(report.card.lines())) == [], solution.name
    return report.passed


def each_function():
    for function in FUNCTIONS:
        yield pytest.param(function, marks=[pytest.mark.slow] if function in SLOW else [])


@pytest.mark.parametrize("function", list(each_function()))
@pytest.mark.slow
def test_the_public_checks_let_through_exactly_the_wrong_solutions_listed(function):
    wrong, right = (
        [solution for solution in catalogue if solution.function == function]
        for catalogue in (WRONG, RIGHT)
    )
    let_through = {f"{function}: {solution.name}" for solution in wrong if passes(solution)}
    assert let_through == {title for title in TITLES if title.startswith(f"{function}: ")}
    assert [solution.name for solution in right if not passes(solution)] == []


def test_every_listed_solution_is_in_the_catalogue():
    assert TITLES <= {f"{solution.function}: {solution.name}" for solution in WRONG}
