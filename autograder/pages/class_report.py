"""The report on a class: how it fared, what cost most, and what is left to do."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import mean, median

from markupsafe import Markup

from autograder.messages import on_page, title
from autograder.pages.figures import histogram, sparkline
from autograder.pages.render import rendered
from autograder.result import Alike, Result, TestResult
from keyhole.messages import LANGUAGES, clauses, language, titled

# Kind of a likely copy -> its words; the other kinds are parts of the writing.
COPIES = {"fact": "copies_fact", "fact, other probes": "copies_other_probes", "edit": "copies_edit"}


@dataclass(frozen=True)
class Question:
    """How a class did in one graded function, or in one written question.

    `open`: how many answers still wait for somebody; a function has none.
    """

    name: str
    notebook: str
    most: float
    points: tuple[float, ...]
    open: int = 0

    @property
    def mean(self) -> float | None:
        return mean(self.points) if self.points else None

    @property
    def full(self) -> int:
        return sum(points >= self.most for points in self.points)

    @property
    def none(self) -> int:
        return sum(points <= 0 for points in self.points)

    @property
    def spread(self) -> Markup:
        """A drawing."""
        if not self.points or not self.most:
            return Markup("")
        part = len(self.points) - self.full - self.none
        label = on_page("spread_of", name=self.name, full=self.full, part=part, none=self.none)
        return sparkline(self.points, self.most, label)


@dataclass
class Cost:
    """What one hidden test, or one misunderstanding, cost the class."""

    name: str
    title: str
    where: set[str] = field(default_factory=set)  # graded functions
    students: set[str] = field(default_factory=set)
    points: float = 0.0
    said: Counter = field(default_factory=Counter)

    def add(self, student: str, test: TestResult, quotable: bool) -> None:
        self.students.add(student)
        self.where.add(test.function)
        self.points += test.max_points - test.points
        if quotable:
            self.said[test.message] += 1

    @property
    def example(self) -> str:
        """The message that most students got."""
        return self.said.most_common(1)[0][0] if self.said else ""


@dataclass(frozen=True)
class AlikeGroup:
    """Students who handed in alike, and in what."""

    students: tuple[str, ...]
    alike: str


def class_page(
    results: Sequence[Result],
    written: Sequence[Question] = (),
    anonymous: bool = False,
    no_gradebook: str | None = None,
) -> str:
    """The page on at least one result, in the language spoken.

    written: the written questions, from the gradebook; `no_gradebook` says why they are not known.
    anonymous: names nobody, and quotes nothing that could tell who wrote it.
    """
    most = max(each.max_score for each in results)
    bonus = max(each.max_bonus for each in results)
    scores = [each.score for each in results]
    label = on_page("histogram_of", count=len(scores), mean=round(mean(scores), 1))
    counted = [each for each in results if each.status != "failed"]
    return rendered(
        "class_report.html",
        results=results,
        assignment=results[0].assignment,
        anonymous=anonymous,
        made=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        most=most,
        mean=mean(scores),
        median=median(scores),
        failed=[each for each in results if each.status == "failed"],
        mended=[each for each in counted if each.reason],
        bonus=bonus,
        drawing=histogram(scores, most + bonus, label),
        questions=[*questions(results), *written],
        written=written,
        no_gradebook=no_gradebook,
        misunderstandings=misunderstandings(results, anonymous),
        costly=costly_tests(results, anonymous),
        groups=groups_of(results, anonymous),
        notebooks=sorted({test.notebook for each in results for test in each.tests}),
        in_notebook=_in_notebook,
        times=_times(results),
        levels=sorted(Counter(each.isolation for each in results).items()),
        versions=_versions(results),
    )


def questions(results: Sequence[Result]) -> list[Question]:
    """The graded functions, in the order of their tests."""
    points, most, notebook = defaultdict(list), {}, {}
    for each in results:
        mine, limit = Counter(), Counter()
        for test in each.tests:
            mine[test.function] += test.points
            limit[test.function] += test.max_points
            notebook.setdefault(test.function, test.notebook)
        for name, value in mine.items():
            points[name].append(round(value, 4))
            most[name] = max(most.get(name, 0.0), round(limit[name], 4))
    return [Question(name, notebook[name], most[name], tuple(points[name])) for name in points]


def costly_tests(results: Sequence[Result], anonymous: bool) -> list[Cost]:
    """The hidden tests that cost points, the dearest first."""
    costs: dict[str, Cost] = {}
    for each, test in _lost(results):
        cost = costs.setdefault(test.id, Cost(test.id, _title(test)))
        cost.add(each.student, test, not anonymous or _says_nothing_personal(test))
    return sorted(costs.values(), key=lambda cost: (-cost.points, cost.name))


def misunderstandings(results: Sequence[Result], anonymous: bool) -> list[Cost]:
    """The misunderstandings that were named, the dearest first."""
    costs: dict[str, Cost] = {}
    for each, test in _lost(results):
        if name := test.misconception:
            quotable = not anonymous or _says_nothing_personal(test)
            said = _sentence(name) or (test.message if quotable else "")
            costs.setdefault(name, Cost(name, said)).add(each.student, test, quotable)
    return sorted(costs.values(), key=lambda cost: (-cost.points, cost.name))


def groups_of(results: Sequence[Result], anonymous: bool) -> list[AlikeGroup]:
    """The groups of likely copies, by their number in the report.

    Where the report is on some of a class, a member may be alone here: the group is left out. An
    anonymous report does not say which fact it is: in the lecture its finders would be known.
    """
    members: dict[int, list[str]] = defaultdict(list)
    alike: dict[int, Alike] = {}
    for each in results:
        for mine in each.alike:
            members[mine.group].append(each.student)
            alike[mine.group] = mine
    return [
        AlikeGroup(tuple(names), _alike(alike[number], anonymous))
        for number, names in sorted(members.items())
        if len(names) > 1
    ]


def _alike(alike: Alike, anonymous: bool) -> str:
    kinds = [on_page(COPIES[kind]) for kind in alike.kinds if kind in COPIES]
    if parts := [f"`{kind}`" for kind in alike.kinds if kind not in COPIES]:
        kinds.append(on_page("copies_writing", parts=", ".join(parts)))
    detail = "" if anonymous else alike.detail
    return titled(clauses(*kinds), detail) if detail else clauses(*kinds)


def _lost(results: Sequence[Result]):
    return (
        (each, test)
        for each in results
        for test in each.tests
        if test.points < test.max_points and test.verdict != "missing"
    )


def _says_nothing_personal(test: TestResult) -> bool:
    """Is the message about the function's numbers alone? Other messages quote what was written."""
    return test.verdict == "fail" and test.function != "my_edit"


def _sentence(name: str) -> str:
    """What a misunderstanding is, in the language spoken; empty where the words have gaps."""
    words = LANGUAGES[language()].MISCONCEPTIONS.get(name, "")
    return "" if "{" in words else words


def _title(test: TestResult) -> str:
    try:
        return title(test.id)
    except KeyError:  # of another version of the grader
        return test.title


def _in_notebook(result: Result, notebook: str) -> float:
    return sum(test.points for test in result.tests if test.notebook == notebook)


def _times(results: Sequence[Result]) -> Mapping[str, float]:
    seconds = [each.seconds for each in results]
    return {"all": sum(seconds), "median": median(seconds), "longest": max(seconds)}


def _versions(results: Sequence[Result]) -> list[tuple[str, str]]:
    """Of the machines that graded: where they differ, all of them."""
    found = defaultdict(set)
    for each in results:
        for name, version in each.versions:
            found[name].add(version)
    return [(name, " / ".join(sorted(versions))) for name, versions in found.items()]
