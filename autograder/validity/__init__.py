"""Whether the grading can be trusted.

Each wrong solution must lose what it should, and each right one must lose nothing.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from autograder.grade import Grader
from autograder.sandbox import isolation
from autograder.secret import course_secret
from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.report import Report
from autograder.validity.run import chosen, graded, spread


def examined(
    functions: Iterable[str] | None = None,
    secret: Path | None = None,
    jobs: int = 1,
    progress: Callable | None = None,
) -> Report:
    """Have the real grader grade the catalogue, or the part of it about some `functions`.

    `secret` is a file; None means the course's. `progress` wraps the solutions, as tqdm does.
    Raises KeyholeError for a function that has no hidden tests.
    """
    solutions, start = chosen((*WRONG, *RIGHT), functions), time.perf_counter()
    results = graded(spread(solutions), Grader(secret=course_secret(secret)), jobs)
    if progress:
        results = progress(results, total=len(solutions), unit=" solutions")
    order = {id(solution): place for place, solution in enumerate(solutions)}
    in_order = sorted(results, key=lambda each: order[id(each.solution)])
    return Report(in_order, time.perf_counter() - start, jobs, isolation.best().level)
