"""The public checks and both catalogues: which wrong solutions they let through."""

import pytest

from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.run import IMPORTS
from keyhole.checking.checks import examine
from keyhole.checking.student import Student

# Why no public check fails them -> the wrong solutions, "function: name". The hidden tests fail
# them all.
LET_THROUGH = {
    "No public case has target tokens as improbable as 1e-20.": {"sequence_nll: epsilon"},
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
        "value_objective: the length in place"
    },
}
TITLES = {title for titles in LET_THROUGH.values() for title in titles}
FUNCTIONS = dict.fromkeys(solution.function for solution in WRONG if not solution.files)
SLOW = ("trace",)  # its catalogue takes half a minute


def passes(solution):
    """Whether every public check passes the solution."""
    student = Student("\n\n\n".join((IMPORTS, *solution.cells)))
    return examine(solution.function, student.function(solution.function)).passed


def each_function():
    for function in FUNCTIONS:
        yield pytest.param(function, marks=[pytest.mark.slow] if function in SLOW else [])


@pytest.mark.parametrize("function", list(each_function()))
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
