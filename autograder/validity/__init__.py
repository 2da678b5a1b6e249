"""Whether the grading can be trusted: wrong solutions that must each lose what they should, right ones that must lose nothing, and the report on both."""


def examined(functions=None, secret=None, jobs=1, progress=None):
    """The catalogue, or the part of it about some `functions`, graded by the real grader: Report.

    secret: a file; None means the course's. progress: as tqdm, of solutions. Raises KeyholeError for a function that has no hidden tests.
    """
    import time

    from autograder.grade import Grader
    from autograder.sandbox import isolation
    from autograder.secret import course_secret
    from autograder.validity.catalogue import RIGHT, WRONG
    from autograder.validity.report import Report
    from autograder.validity.run import chosen, graded, spread

    solutions, start = chosen((*WRONG, *RIGHT), functions), time.perf_counter()
    found = graded(spread(solutions), Grader(secret=course_secret(secret)), jobs)
    if progress:
        found = progress(found, total=len(solutions), unit=" solutions")
    order = {id(solution): place for place, solution in enumerate(solutions)}
    found = sorted(found, key=lambda each: order[id(each.solution)])
    return Report(found, time.perf_counter() - start, jobs, isolation.best().level)
