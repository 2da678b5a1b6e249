"""The public checks: a student's function gets fixed inputs, and its result meets stored ones.

No solution stands here. What is right, and what each misunderstanding gives, was computed
beforehand and lies in data/checks/; `autograder remake checks` makes it. The hidden tests judge in
the same way, on other inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keyhole.checking.cases import NoAnswer, load_cases
from keyhole.checking.diagnosis import together
from keyhole.checking.judging import Verdict
from keyhole.fonts import lacks_font
from keyhole.messages import check_title, clauses, feedback, listed, titled
from keyhole.text import one_line

if TYPE_CHECKING:  # it takes a second, and only `compare` draws
    from matplotlib.figure import Figure


class CheckFailed(AssertionError):
    """A public check that failed.

    A notebook shows its text alone: it quotes the student's error, and our traceback is no help.
    """

    def _render_traceback_(self):
        return str(self).splitlines()


@dataclass(frozen=True)
class CheckReport:
    """How a function did in its checks: a pair (title of the case, Verdict) for each.

    A blank has one pair, without a title.
    """

    function: str
    verdicts: tuple[tuple[str, Verdict], ...]
    cause: BaseException | None = None  # what the student's function raised first

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

    def __repr__(self):
        lines = [self._head(self.function), *(f"  {line}" for line in self._lines())]
        return "\n".join(lines)

    def _repr_markdown_(self):
        lines = [f"- {line}" for line in self._lines()]
        return "\n".join([self._head(f"**`{self.function}`**"), "", *lines])

    @property
    def _is_blank(self):
        return not self.verdicts[0][0]

    def _head(self, name):
        said = self.verdicts[0][1].message if self._is_blank else self._count()
        return f"{'✓' if self.passed else '✗'} {titled(name, said)}"

    def _lines(self):
        """A line for each case. What an earlier line said is not said again."""
        said = set()
        for title, verdict in () if self._is_blank else self.verdicts:
            yield f"✓ {title}" if verdict.passed else f"✗ {titled(title, _news(verdict, said))}"

    def _count(self):
        passed = sum(verdict.passed for _, verdict in self.verdicts)
        return feedback("count", right=passed, all=len(self.verdicts))


def _news(verdict, said):
    """The words of a verdict without what was `said` already.

    `said` is a set of remarks and explanations; this adds to it.
    """
    explanation = None if verdict.explanation in said else verdict.explanation
    observed = None if verdict.observed in said or verdict.explanation else verdict.observed
    if verdict.remarks in said and not explanation and not observed:
        return feedback("the_same")
    said.update((verdict.remarks, verdict.explanation, verdict.observed))
    return replace(verdict, explanation=explanation, observed=observed).message


def check(function: Callable) -> CheckReport:
    """Check a graded function, known by its name, and return a CheckReport, which a notebook shows.

    Raises CheckFailed where a case fails: which one, what is wrong with the result, by how much,
    and the likely why.
    """
    report = examine(_name_of(function), function)
    if not report.passed:
        raise CheckFailed(repr(report)) from report.cause
    return report


def examine(name: str, function: Callable) -> CheckReport:
    """Run every public check of the graded function `name`."""
    cases = load_cases()
    if name not in cases:
        raise CheckFailed(feedback("no_check", function=one_line(name, 60), known=listed(cases)))
    verdicts, causes = [], []
    for case in cases[name]:
        try:
            verdict = case.run(function)
        except NoAnswer as none:
            verdict = none.verdict
            causes.append(none.__cause__)
            if none.blank:
                return CheckReport(name, (("", verdict),), *causes)
        verdicts.append(verdict)
    titles = [check_title(f"{name}.{case.id}") for case in cases[name]]
    return CheckReport(name, tuple(zip(titles, together(verdicts))), *causes[:1])


def compare(function: Callable) -> "Figure":
    """A picture of what a public check of `function` expects, what it gives, and the difference.

    For states it shows how far each lies from where it was; for a map, the effects. Raises
    CheckFailed where nothing comes back that could be shown.
    """
    from keyhole.plots import expected_and_obtained  # late: matplotlib takes a second

    name = _name_of(function)
    case = next((case for case in load_cases().get(name, []) if case.axes), None)
    if case is None:
        raise CheckFailed(feedback("no_picture", function=one_line(name, 60)))
    try:
        got = case.observe(function)["result"]
    except NoAnswer as none:
        raise CheckFailed(none.verdict.message) from none.__cause__
    if unusable := case.expected.unusable(got):
        raise CheckFailed(unusable.message)
    moved = [
        tensor.double() - case.stored[f"in/{case.origin}"].double()
        for tensor in (case.stored["right"], got)
    ]
    if moved[0].dim() == 3:
        moved = [tensor.norm(dim=-1) for tensor in moved]
    title = check_title(f"{name}.{case.id}", "en" if lacks_font() else None)
    return expected_and_obtained(*moved, *case.axes, title=f"{name}: {title}")


def _name_of(function):
    return getattr(function, "__name__", type(function).__name__)
