"""Hand every solution of the catalogue in, and have the real grader grade it."""

import copy
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import nbformat

from autograder.grade import Grader, cases_of, grade_submission
from autograder.hidden import NOTEBOOKS
from autograder.hidden.case import HiddenTest
from autograder.result import Result, TestResult, function_of
from autograder.validity.contradictions import Diagnosis, contradictions, on_page
from autograder.validity.solution import Solution
from keyhole.errors import KeyholeError

# What the released notebooks begin with, as far as solutions use it.
IMPORTS = "import torch\n\nfrom keyhole import edit, record"


@dataclass(frozen=True)
class Graded:
    """A solution and what the grader said of it."""

    solution: Solution
    result: Result

    @property
    def tests(self) -> dict[str, TestResult]:
        """{case: the test's result}"""
        return {case_of(test.id): test for test in self.result.tests}

    @property
    def lost(self) -> set[str]:
        """The cases that it did not pass."""
        return {case for case, test in self.tests.items() if test.verdict != "pass"}

    @property
    def astray(self) -> set[str]:
        """The cases that it should have lost and did not, or lost and should not have."""
        return (self.lost ^ self.solution.must_fail(self.tests)) - self.solution.may_fail

    @property
    def costly(self) -> set[str]:
        """The cases in which it lost points; some cases are worth none."""
        return {case for case, test in self.tests.items() if test.points < test.max_points}

    @property
    def caught(self) -> bool:
        """Whether it lost points."""
        return bool(self.costly)

    @property
    def names(self) -> Counter:
        """The misconceptions that the messages name, and in how many tests."""
        return Counter(test.misconception for test in self.tests.values() if test.misconception)

    @cached_property
    def contradictions(self) -> list[tuple[Diagnosis, Diagnosis]]:
        """What its feedback page says and does not go together; none where all is well."""
        return contradictions(on_page(self.result)) if self.lost else []

    @property
    def named(self) -> bool:
        """Whether its own misunderstanding was named."""
        return self.solution.misconception is not None and self.solution.misconception in self.names


def case_of(test_id: str) -> str:
    """The case of a test: "llama" of "subject_key.llama"."""
    return test_id.partition(".")[2]


def hidden_tests() -> dict[str, tuple[HiddenTest, ...]]:
    """{graded function, or the files beside the notebook: its tests}, in the notebooks' order."""
    tests: dict[str, list[HiddenTest]] = {}
    for hidden in NOTEBOOKS.values():
        for case in cases_of(hidden):
            tests.setdefault(function_of(case.id), []).append(case)
    return {function: tuple(cases) for function, cases in tests.items()}


def chosen(solutions: Iterable[Solution], functions: Iterable[str] | None) -> list[Solution]:
    """The solutions of some functions; None means all.

    Raises KeyholeError for a function that has no hidden tests.
    """
    if functions is None:
        return list(solutions)
    known = hidden_tests()
    if unknown := sorted(set(functions) - known.keys()):
        raise KeyholeError(
            f"no hidden tests of {', '.join(unknown)}: there are those of {', '.join(known)}"
        )
    return [solution for solution in solutions if solution.function in set(functions)]


def graded(solutions: Iterable[Solution], grader: Grader, jobs: int = 1) -> Iterator[Graded]:
    """Grade each solution as a submission, with the tests of its function alone.

    `jobs` are graded at once; the results come in the order of the solutions.
    """
    grader.model()  # loaded now, so that the graders made of this one below share it
    graders = {function: only(grader, function) for function in hidden_tests()}
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(
            lambda solution: _graded(solution, graders[solution.function]), solutions
        )


def spread(solutions: Iterable[Solution]) -> list[Solution]:
    """The solutions of each function spread evenly over the whole.

    Some functions keep the grader busy and others the students' processes; so both are in use.
    """
    counts, seen = Counter(solution.function for solution in solutions), Counter()

    def place(solution: Solution) -> float:
        seen[solution.function] += 1
        return seen[solution.function] / counts[solution.function]

    return sorted(solutions, key=place)


def only(grader: Grader, function: str) -> Grader:
    """`grader` with the hidden tests of one function; it shares model, lock and secret."""
    restricted = copy.copy(grader)
    restricted.notebooks = {}
    for name, hidden in grader.notebooks.items():
        cells = {
            cell: tuple(case for case in cases if function_of(case.id) == function)
            for cell, cases in hidden.cells.items()
        }
        if cells := {cell: cases for cell, cases in cells.items() if cases}:
            restricted.notebooks[name] = replace(hidden, cells=cells)
    return restricted


def _graded(solution: Solution, grader: Grader) -> Graded:
    with tempfile.TemporaryDirectory() as folder:
        hand_in(solution, Path(folder), grader)
        return Graded(solution, grade_submission(folder, solution.name, grader))


def hand_in(solution: Solution, folder: Path, grader: Grader) -> None:
    """Write the submission of a student who has done this function and no other."""
    [name] = grader.notebooks
    test = (f"test_{solution.function}", f"check({solution.function})")
    cells = [
        *((f"cell{number}", code) for number, code in enumerate((IMPORTS, *solution.cells))),
        test,
    ]
    made = [
        nbformat.v4.new_code_cell(code, metadata={"nbgrader": {"grade_id": grade_id}})
        for grade_id, code in cells
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=made), folder / f"{name}.ipynb")
    if solution.files:
        with grader.lock:
            files = solution.files(grader.model())
        for file, content in files.items():
            (folder / file).write_bytes(content)
