"""What the grader made of the catalogue, as text for the terminal and as Markdown for the docs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from autograder.validity.run import Graded, case_of, hidden_tests

NAMED_SHARE = 0.9  # of the wrong solutions whose own misunderstanding must be named
LEGEND = "● all points lost   ◐ some points lost   · none lost   ! the catalogue says otherwise"


def _all_cases() -> dict[str, list[str]]:
    """{function: the cases of its hidden tests}"""
    return {
        function: [case_of(case.id) for case in cases] for function, cases in hidden_tests().items()
    }


@dataclass(frozen=True)
class Report:
    """All that was graded, wrong and right, and how; the findings are derived here."""

    graded: list[Graded]
    seconds: float
    jobs: int
    isolation: str
    cases: dict[str, list[str]] = field(default_factory=_all_cases)

    @cached_property
    def functions(self) -> list[str]:
        """The functions that the solutions are of, in order."""
        return list(dict.fromkeys(each.solution.function for each in self.graded))

    @cached_property
    def wrong(self) -> list[Graded]:
        """The wrong solutions."""
        return [each for each in self.graded if each.solution.mistake]

    @cached_property
    def right(self) -> list[Graded]:
        """The right solutions."""
        return [each for each in self.graded if not each.solution.mistake]

    @property
    def named(self) -> list[Graded]:
        """The wrong solutions whose own misunderstanding was named."""
        return [each for each in self.wrong if each.named]

    @property
    def caught(self) -> int:
        """The number of wrong solutions that lost points."""
        return sum(each.caught for each in self.wrong)

    @property
    def passed(self) -> int:
        """The number of right solutions that lost nothing."""
        return sum(not each.lost for each in self.right)

    @property
    def contradictions(self) -> int:
        """The number of pairs of sentences, told of one solution, that do not go together."""
        return sum(len(each.contradictions) for each in self.graded)

    @property
    def tests(self) -> int:
        """The number of hidden tests of these functions."""
        return sum(len(self.cases[function]) for function in self.functions)

    @property
    def share(self) -> str:
        """How many of the wrong solutions were told what they misunderstood, in words."""
        share = len(self.named) / max(len(self.wrong), 1)
        return f"{len(self.named)} of {len(self.wrong)} ({share:.1%})"

    def of(self, graded: Iterable[Graded], function: str) -> list[Graded]:
        """Those of one function."""
        return [each for each in graded if each.solution.function == function]

    def needed(self, function: str) -> dict[str, list[Graded]]:
        """{test: the wrong solutions that lose points in it alone}"""
        alone: dict[str, list[Graded]] = {case: [] for case in self.cases[function]}
        for each in self.of(self.wrong, function):
            if len(each.costly) == 1:
                alone[next(iter(each.costly))].append(each)
        return alone

    def unneeded(self, function: str) -> list[str]:
        """The tests each of which could go, and every wrong solution would still lose points."""
        return [case for case, alone in self.needed(function).items() if not alone]

    def problems(self) -> list[str]:
        """What is not as it should be, a line each."""
        problems = [problem for each in self.graded for problem in _problems_of(each)]
        problems += [problem for each in self.graded for problem in contradicted(each)]
        too_few = len(self.named) < NAMED_SHARE * len(self.wrong)
        if too_few and set(self.functions) == set(self.cases):
            problems.append(
                f"only {self.share} of the wrong solutions are told what was misunderstood,"
                f" {NAMED_SHARE:.0%} should be"
            )
        for function in self.functions:
            lost = set().union(*(each.lost for each in self.of(self.wrong, function)))
            problems += [
                f"{function}.{case} is lost by no wrong solution"
                for case in self.cases[function]
                if case not in lost
            ]
        return problems

    def summary(self) -> str:
        """The figures in one sentence."""
        return (
            f"{self.caught} of {len(self.wrong)} wrong solutions lose points, {self.share} are told"
            f" what was misunderstood; {self.passed} of {len(self.right)} right ones get full"
            f" marks; {self.contradictions} contradictions; {self.tests} tests;"
            f" {self.seconds:.0f} s, {self.jobs} at a time, isolation level {self.isolation}"
        )


def _problems_of(each: Graded) -> Iterator[str]:
    """What is not as it should be with one solution."""
    solution, title = each.solution, title_of(each)
    if solution.mistake and not each.caught:
        yield f"{title} is wrong and loses nothing"
    if not solution.mistake and (each.caught or each.lost):
        yield f"{title} is right and loses {', '.join(sorted(each.lost))}"
    elif each.astray:
        lost, kept = sorted(each.astray & each.lost), sorted(each.astray - each.lost)
        parts = [f"loses {', '.join(lost)}, which it should not"] if lost else []
        parts += [f"does not lose {', '.join(kept)}"] if kept else []
        yield f"{title} {' and '.join(parts)}"
    if solution.misconception and not each.named:
        yield f"{title} is not told of {solution.misconception}, but of {names(each)}"
    if any(test.our_fault for test in each.tests.values()):
        yield f"{title} made the grader itself fail"
    if each.result.status != "graded":
        yield f"{title} could not be handed in: {each.result.reason}"


def contradicted(each: Graded) -> Iterator[str]:
    """The pairs of sentences on a solution's feedback page that do not go together, a line each."""
    for one, other in each.contradictions:
        yield f"{title_of(each)} is told “{one.words}” and “{other.words}”"


def title_of(each: Graded) -> str:
    """A solution's function and name."""
    return f"{each.solution.function}: {each.solution.name}"


def names(each: Graded) -> str:
    """What was named, its own misunderstanding first: "nll_summed 5, nll_of_product 1".

    The numbers are those of the tests that name it.
    """
    own = each.solution.misconception
    ordered = sorted(each.names.items(), key=lambda item: (item[0] != own, -item[1]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "nothing"


def mark(each: Graded, case: str) -> str:
    """The sign of a solution in a test, as `LEGEND` explains."""
    test = each.tests[case]
    sign = "·" if test.verdict == "pass" else "◐" if test.points > 0 else "●"
    return sign + "!" * (case in each.astray)


# ---------------------------------------------------------------- for the terminal


def as_text(report: Report) -> str:
    """The matrix of every function, the findings and the summary."""
    matrices = [line for function in report.functions for line in _matrix(report, function)]
    return "\n".join([LEGEND, *matrices, "", *_findings(report), "", report.summary()])


def _matrix(report: Report, function: str) -> Iterator[str]:
    cases, wrong = report.cases[function], report.of(report.wrong, function)
    width = max((len(each.solution.name) for each in wrong), default=0)
    yield ""
    right = len(report.of(report.right, function))
    yield f"{function}: {len(wrong)} wrong solutions, {right} right ones"
    # The names of the tests stand above their columns, staggered.
    for i, case in enumerate(cases):
        yield f"  {'':{width}}  {'│  ' * i}{case}"
    for each in wrong:
        marks = "".join(f"{mark(each, case):<3}" for case in cases)
        yield f"  {each.solution.name:{width}}  {marks}  {names(each)}"


def _findings(report: Report) -> Iterator[str]:
    alone = [
        f"{title_of(each)} ({case})"
        for function in report.functions
        for case, solutions in report.needed(function).items()
        for each in solutions
    ]
    unneeded = [
        f"{function}.{case}" for function in report.functions for case in report.unneeded(function)
    ]
    unnamed = [title_of(each) for each in report.wrong if not each.named]
    lists = {
        "Tests that no wrong solution needs, since those that lose there lose elsewhere, too": (
            unneeded
        ),
        "Wrong solutions that only one test catches": alone,
        "Wrong solutions whose misunderstanding is not named": unnamed,
        "Not as it should be": report.problems(),
    }
    for title, entries in lists.items():
        yield f"{title}: {len(entries)}"
        yield from (f"  {each}" for each in entries)


# ---------------------------------------------------------------- docs/validity.md


def as_markdown(report: Report) -> str:
    """The page docs/validity.md."""
    problems = report.problems()
    rows = {
        "wrong solutions that lose points": f"{report.caught} of {len(report.wrong)}",
        "wrong solutions whose misunderstanding the messages name": report.share,
        "right solutions that get full marks": (f"{report.passed} of {len(report.right)}"),
        "pairs of sentences on one feedback page that contradict each other": report.contradictions,
        "hidden tests": report.tests,
        "results that the catalogue does not expect": len(problems),
        "time": f"{report.seconds:.0f} s, {report.jobs} at a time",
        "isolation level": report.isolation,
    }
    lines = [
        "# Can the grading be trusted?",
        "",
        (
            "`autograder validity --write docs/validity.md` makes this page."
            " [grading.md](grading.md#validity) says how to read it."
        ),
        "",
        "| | |",
        "|---|---|",
        *(f"| {what} | {figure} |" for what, figure in rows.items()),
        "",
        *(f"- {problem}" for problem in problems),
        *([""] if problems else []),
        LEGEND.replace("   ", "; "),
        *(line for function in report.functions for line in _section(report, function)),
    ]
    return "\n".join(lines) + "\n"


def _section(report: Report, function: str) -> Iterator[str]:
    """The part of the page about one function."""
    cases, right = report.cases[function], report.of(report.right, function)
    head = ["wrong solution", "its mistake", *cases, "named, in how many tests"]
    yield from ("", f"## {function}", "")
    yield f"| {' | '.join(head)} |"
    yield f"|---|---|{':-:|' * len(cases)}---|"
    for each in report.of(report.wrong, function):
        row = [cell(each.solution.name), cell(each.solution.mistake)]
        row += [mark(each, case) for case in cases]
        yield f"| {' | '.join(row)} | {names(each)} |"
    yield from ("", "Right solutions:", "")
    for each in right:
        yield f"- {cell(each.solution.name)}{' (**loses points**)' * bool(each.lost)}"
    single = {
        case: "; ".join(cell(each.solution.name) for each in alone)
        for case, alone in report.needed(function).items()
        if alone
    }
    if single:
        yield from ("", "| test | caught by this test only |", "|---|---|")
        yield from (f"| {case} | {solutions} |" for case, solutions in single.items())
    if unneeded := report.unneeded(function):
        yield from ("", f"Tests that no wrong solution needs: {', '.join(unneeded)}.")


def cell(text: str) -> str:
    """Text for a table of Markdown's."""
    return text.replace("|", "\\|").replace("*", "\\*")
