"""The public checks: a student's function gets fixed inputs, and its result meets stored ones.

No solution stands here. What is right, and what each misunderstanding gives, was computed
beforehand and lies in data/checks/; `autograder remake checks` makes it. The hidden tests judge in
the same way, on other inputs.
"""

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhole.checking.card import CheckCard, CheckLine
from keyhole.checking.cases import NoAnswer, load_cases
from keyhole.checking.diagnosis import leading, together
from keyhole.checking.evidence import Evidence, evidence_of, matrices
from keyhole.checking.judging import MEASURED, Verdict, in_words
from keyhole.fonts import lacks_font
from keyhole.messages import check_title, clauses, feedback, hinted, listed, titled
from keyhole.terminal import folded
from keyhole.text import one_line

if TYPE_CHECKING:  # it takes a second, and only `compare` draws
    from matplotlib.figure import Figure


class CheckFailed(AssertionError):
    """A public check that failed.

    A notebook shows its text alone: it quotes the student's error, and our traceback is no help.
    Where a card was shown already, that is the function's name: a notebook breaks longer lines in
    the middle of words.
    """

    def __init__(self, text: object, brief: str = ""):
        super().__init__(str(text))
        self.brief = brief

    def _render_traceback_(self):
        return [self.brief] if self.brief else str(self).splitlines()


@dataclass(frozen=True)
class CheckReport:
    """How a function did in its checks: a pair (title of the case, Verdict) for each.

    A blank has one pair, without a title. `evidence` has what each case showed, or None.
    """

    function: str
    verdicts: tuple[tuple[str, Verdict], ...]
    cause: BaseException | None = None  # what the student's function raised first
    evidence: tuple[Evidence | None, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(verdict.passed for _, verdict in self.verdicts)

    @property
    def reason(self) -> str:
        """One line: how many cases passed, and why the first that failed did."""
        failed = [
            titled(title, verdict.message) for title, verdict in self.verdicts if not verdict.passed
        ]
        return clauses(None if self._is_blank else self._count(), *failed[:1])

    def unexplained(self) -> "CheckReport":
        """The same without misconceptions."""
        verdicts = tuple((title, verdict.unexplained()) for title, verdict in self.verdicts)
        return replace(self, verdicts=verdicts)

    @property
    def card(self) -> CheckCard:
        """What is shown of it, in the language spoken."""
        if self._is_blank:
            return CheckCard(self.function, self.verdicts[0][1].message, self.passed)
        if self.passed:
            return CheckCard(self.function, self._count(), True)
        best = leading([verdict for _, verdict in self.verdicts if not verdict.passed])
        place = next(i for i, (_, verdict) in enumerate(self.verdicts) if verdict is best)
        return CheckCard(
            self.function,
            self._count(),
            False,
            best.diagnosis,
            self.verdicts[place][0],
            self.evidence[place] if self.evidence else None,
            tuple(self._tests(best)),
            str(feedback("stuck", function=self.function)) if hinted(self.function) else "",
        )

    def __repr__(self):
        return folded([self.card.heading, *self.card.lines()])

    def _repr_html_(self):
        return self.card.html()

    @property
    def _is_blank(self):
        return not self.verdicts[0][0]

    def _tests(self, best):
        """A line for each case. What the diagnosis or an earlier line said is not said again."""
        said = {best.explanation, best.observed, *best.remarks}
        for title, verdict in self.verdicts:
            yield CheckLine(title, verdict.passed, "" if verdict.passed else _news(verdict, said))

    def _count(self):
        passed = sum(verdict.passed for _, verdict in self.verdicts)
        return str(feedback("count", right=passed, all=len(self.verdicts)))


def _news(verdict, said):
    """The words of a verdict without what was `said` already, but for measured numbers.

    `said` is a set of remarks; this adds to it.
    """
    news = [each for each in verdict.said if each not in said or each.code in MEASURED]
    said.update(verdict.said)
    return in_words(news) if news else str(feedback("the_same"))


def check(function: Callable) -> CheckReport:
    """Check a graded function, known by its name, and return a CheckReport, which a notebook shows.

    Raises CheckFailed where a case fails, after a card that says what is wrong: the diagnosis, what
    was expected and what came back, and how each case went.
    """
    return passing(examine(name_of_function(function), function))


def passing(report: CheckReport) -> CheckReport:
    """The report, if it passed. Otherwise shows it in a notebook, and raises CheckFailed."""
    if report.passed:
        return report
    raise CheckFailed(
        repr(report), f"✗ {report.function}" if _shown(report) else ""
    ) from report.cause


def _shown(report):
    """Show a report where IPython runs; whether it does."""
    ipython = sys.modules.get("IPython")  # a student's script need not have it
    if not ipython or not ipython.get_ipython():
        return False
    ipython.display.display(report)
    return True


def examine(name: str, function: Callable) -> CheckReport:
    """Run every public check of the graded function `name`."""
    cases = load_cases()
    if name not in cases:
        raise CheckFailed(feedback("no_check", function=one_line(name, 60), known=listed(cases)))
    verdicts, causes, evidence = [], [], []
    for case in cases[name]:
        seen = None
        try:
            observation = case.observe(function)
            verdict = case.look(observation)
            seen = None if verdict.passed else evidence_of(case, observation)
        except NoAnswer as none:
            verdict = none.verdict
            causes.append(none.__cause__)
            if none.blank:
                return CheckReport(name, (("", verdict),), *causes)
        verdicts.append(verdict)
        evidence.append(seen)
    titles = [check_title(f"{name}.{case.id}") for case in cases[name]]
    cause = causes[0] if causes else None
    return CheckReport(name, tuple(zip(titles, together(verdicts))), cause, tuple(evidence))


def compare(function: Callable) -> "Figure":
    """A picture of what the public checks of `function` expect, what it gives, and the difference.

    Where a number is wanted it shows all checks, else the first that fails. Of states it shows how
    far each lies from where it was; of a map or a new weight, the change. Raises CheckFailed where
    nothing comes back that could be shown.
    """
    from keyhole import plots  # late: matplotlib takes a second

    name = name_of_function(function)
    cases = load_cases().get(name, [])
    if not cases:
        raise CheckFailed(feedback("no_picture", function=one_line(name, 60)))
    if not cases[0].stored["right"].dim():
        numbers = _numbers(function, [case for case in cases if not case.stored["right"].dim()])
        return plots.numbers_compared({_title(case): pair for case, pair in numbers}, name)
    case, pair = _first_wrong(function, cases)
    title = f"{name}: {_title(case)}"
    if len(pair[0]) == 1:
        return plots.vectors_compared(pair[0][0], pair[1][0], title)
    return plots.expected_and_obtained(*pair, *(case.axes or ("row", "column")), title=title)


def _title(case):
    """What a case is about, in words that a picture can show."""
    return check_title(f"{case.function}.{case.id}", "en" if lacks_font() else None)


def _observed(function, case):
    """What a call of the function gave that can be compared. Raises CheckFailed without it."""
    try:
        observation = case.observe(function)
    except NoAnswer as none:
        raise CheckFailed(none.verdict.message) from none.__cause__
    got = observation["weight" if case.module else "result"]
    if unusable := case.expected.unusable(got):
        raise CheckFailed(unusable.message)
    return got


def _numbers(function, cases):
    """[(case, (what is right, what came back))]; raises CheckFailed where nothing came back."""
    found, failures = [], []
    for case in cases:
        try:
            got = float(_observed(function, case))
        except CheckFailed as failure:
            failures.append(failure)
            got = math.nan
        found.append((case, (float(case.stored["right"]), got)))
    if len(failures) == len(cases):
        raise failures[0]
    return found


def _first_wrong(function, cases):
    """(the first case whose result is wrong, both results as matrices); if none is, of all."""
    first = None
    for case in cases:
        got = _observed(function, case)
        found = case, matrices(case, got)
        first = first or found
        if not case.expected.judge(got).passed:
            return found
    return first


def name_of_function(function: Callable) -> str:
    """What a function is called."""
    return str(getattr(function, "__name__", type(function).__name__))
