"""What the grader made of the catalogue: as a text for the terminal, and as Markdown for docs/validity.md."""

from dataclasses import dataclass, field
from functools import cached_property

from autograder.validity.run import Graded, case_of, hidden_tests

NAMED_SHARE = 0.9  # of the wrong solutions whose own misunderstanding must be named
LEGEND = "● points lost   ◐ some of them lost   · none lost   ! not what the catalogue says"


@dataclass(frozen=True)
class Report:
    """All that was graded, wrong and right, and how; what is said of it is derived here."""

    graded: list[Graded]
    seconds: float
    jobs: int
    isolation: str
    cases: dict[str, list[str]] = field(
        default_factory=lambda: {
            function: [case_of(case.id) for case in cases]
            for function, cases in hidden_tests().items()
        }
    )

    @cached_property
    def functions(self) -> list[str]:
        return list(dict.fromkeys(each.solution.function for each in self.graded))

    @cached_property
    def wrong(self) -> list[Graded]:
        return [each for each in self.graded if each.solution.mistake]

    @cached_property
    def right(self) -> list[Graded]:
        return [each for each in self.graded if not each.solution.mistake]

    @property
    def named(self) -> list[Graded]:
        return [each for each in self.wrong if each.named]

    def of(self, graded, function: str) -> list[Graded]:
        return [each for each in graded if each.solution.function == function]

    def needed(self, function: str) -> dict[str, list[Graded]]:
        """Of each test, the wrong solutions that lose points in it alone."""
        alone = {case: [] for case in self.cases[function]}
        for each in self.of(self.wrong, function):
            if len(each.costly) == 1:
                alone[next(iter(each.costly))].append(each)
        return alone

    def unneeded(self, function: str) -> list[str]:
        """The tests without which every wrong solution would still lose points (one of them at a time)."""
        return [case for case, alone in self.needed(function).items() if not alone]

    def problems(self) -> list[str]:
        """What is not as it should be, a line each."""
        found = []
        for each in self.graded:
            solution, title = each.solution, title_of(each)
            if solution.mistake and not each.caught:
                found.append(f"{title} is wrong and loses nothing")
            if not solution.mistake and (each.caught or each.lost):
                found.append(f"{title} is right and loses {', '.join(sorted(each.lost))}")
            elif each.astray:
                lost, kept = sorted(each.astray & each.lost), sorted(each.astray - each.lost)
                found.append(
                    f"{title} "
                    + " and ".join(
                        [
                            *([f"loses {', '.join(lost)}, which it should not"] if lost else []),
                            *([f"does not lose {', '.join(kept)}"] if kept else []),
                        ]
                    )
                )
            if solution.misconception and not each.named:
                found.append(
                    f"{title} is not told of {solution.misconception}, but of {names(each)}"
                )
            if any(test.our_fault for test in each.tests.values()):
                found.append(f"{title} made the grader itself fail")
            if each.result.status != "graded":
                found.append(f"{title} could not be handed in: {each.result.reason}")
        if len(self.named) < NAMED_SHARE * len(self.wrong) and set(self.functions) == set(
            self.cases
        ):
            found.append(
                f"only {self.share} of the wrong solutions are told what was misunderstood,"
                f" {NAMED_SHARE:.0%} should be"
            )
        for function in self.functions:
            lost = set().union(*(each.lost for each in self.of(self.wrong, function)))
            found += [
                f"{function}.{case} is lost by no wrong solution"
                for case in self.cases[function]
                if case not in lost
            ]
        return found

    @property
    def share(self) -> str:
        return (
            f"{len(self.named)} of {len(self.wrong)}"
            f" ({len(self.named) / max(len(self.wrong), 1):.1%})"
        )

    def summary(self) -> str:
        caught, passed = (
            sum(each.caught for each in self.wrong),
            sum(not each.lost for each in self.right),
        )
        tests = sum(len(self.cases[function]) for function in self.functions)
        return (
            f"{caught} of {len(self.wrong)} wrong solutions lose points, {self.share} are told what"
            f" was misunderstood; {passed} of {len(self.right)} right ones get full marks; {tests}"
            f" tests; {self.seconds:.0f} s, {self.jobs} at a time, isolation level {self.isolation}"
        )


def title_of(each: Graded) -> str:
    return f"{each.solution.function}: {each.solution.name}"


def names(each: Graded) -> str:
    """What was named, its own misunderstanding first, with the number of tests: "nll_summed 5, nll_of_product 1"."""
    own = each.solution.misconception
    ordered = sorted(each.names.items(), key=lambda found: (found[0] != own, -found[1]))
    return ", ".join(f"{name} {count}" for name, count in ordered) or "nothing"


def mark(each: Graded, case: str) -> str:
    test = each.tests[case]
    sign = "·" if test.verdict == "pass" else "◐" if test.points > 0 else "●"
    return sign + "!" * (case in each.astray)


# ---------------------------------------------------------------- for the terminal


def as_text(report: Report) -> str:
    return "\n".join(
        [
            LEGEND,
            *(line for function in report.functions for line in _matrix(report, function)),
            "",
            *_findings(report),
            "",
            report.summary(),
        ]
    )


def _matrix(report, function):
    cases, wrong, right = (
        report.cases[function],
        report.of(report.wrong, function),
        report.of(report.right, function),
    )
    width = max((len(each.solution.name) for each in wrong), default=0)
    yield ""
    yield f"{function}: {len(wrong)} wrong solutions, {len(right)} right ones"
    # The names of the tests stand above their columns, staggered.
    for i, case in enumerate(cases):
        yield f"  {'':{width}}  {'│  ' * i}{case}"
    for each in wrong:
        yield (
            f"  {each.solution.name:{width}}  {''.join(f'{mark(each, case):<3}' for case in cases)}"
            f"  {names(each)}"
        )


def _findings(report):
    alone = [
        f"{title_of(each)} ({case})"
        for function in report.functions
        for case, found in report.needed(function).items()
        for each in found
    ]
    unneeded = [
        f"{function}.{case}" for function in report.functions for case in report.unneeded(function)
    ]
    unnamed = [title_of(each) for each in report.wrong if not each.named]
    for title, found in (
        (
            "Tests that no wrong solution needs, since those that lose there lose elsewhere, too",
            unneeded,
        ),
        ("Wrong solutions that only one test catches", alone),
        ("Wrong solutions whose misunderstanding is not named", unnamed),
        ("Not as it should be", report.problems()),
    ):
        yield f"{title}: {len(found)}"
        yield from (f"  {each}" for each in found)


# ---------------------------------------------------------------- docs/validity.md


def as_markdown(report: Report) -> str:
    alone = {function: report.needed(function) for function in report.functions}
    caught, passed = (
        sum(each.caught for each in report.wrong),
        sum(not each.lost for each in report.right),
    )
    problems = report.problems()
    lines = [
        "# Whether the grading can be trusted",
        "",
        (
            "Made by `autograder validity --write docs/validity.md`;"
            " [grading.md](grading.md#validity) says how to read it."
        ),
        "",
        "| | |",
        "|---|---|",
        f"| wrong solutions that lose points | {caught} of {len(report.wrong)} |",
        f"| of them told what was misunderstood | {report.share} |",
        (
            f"| right solutions, written differently, with full marks | {passed} of"
            f" {len(report.right)} |"
        ),
        f"| hidden tests | {sum(len(report.cases[function]) for function in report.functions)} |",
        f"| not as the catalogue says | {len(problems)} |",
        f"| time | {report.seconds:.0f} s, {report.jobs} at a time |",
        f"| isolation level | {report.isolation} |",
        "",
        *(f"- {problem}" for problem in problems),
        *([""] if problems else []),
        LEGEND.replace("   ", "; "),
    ]
    for function in report.functions:
        cases, right = report.cases[function], report.of(report.right, function)
        lines += [
            "",
            f"## {function}",
            "",
            "| wrong solution | who hands it in | "
            + " | ".join(cases)
            + " | named (in so many tests) |",
            "|---|---|" + ":-:|" * len(cases) + "---|",
        ]
        lines += [
            f"| {cell(each.solution.name)} | {cell(each.solution.mistake)} | "
            + " | ".join(mark(each, case) for case in cases)
            + f" | {names(each)} |"
            for each in report.of(report.wrong, function)
        ]
        lines += [
            "",
            (
                "Right:"
                f" {'; '.join(cell(each.solution.name) + (' (**loses points**)' if each.lost else '') for each in right)}."
            ),
        ]
        if single := [
            f"{cell(each.solution.name)} ({case})"
            for case, found in alone[function].items()
            for each in found
        ]:
            lines += ["", f"Caught by one test only: {'; '.join(single)}."]
        if unneeded := report.unneeded(function):
            lines += ["", f"Tests that no wrong solution needs: {', '.join(unneeded)}."]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """Text for a table of Markdown's."""
    return text.replace("|", "\\|").replace("*", "\\*")
