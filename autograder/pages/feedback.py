"""A student's page of feedback: the total, every function with its tests, every written answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from autograder.messages import sentence, sign
from autograder.pages.render import number, rendered
from autograder.result import Bonus, Result, TestResult
from keyhole.checking.diagnosis import leading

PAGE = "feedback.html"  # its name in a student's folder


@dataclass(frozen=True)
class Card:
    """One graded function, or one written question, as the page shows it.

    `points` is None while nobody has graded it. `replaced` holds the points that the tests gave,
    where the course staff gave others. `text` is what the student wrote, "" where it is not known.
    """

    name: str
    notebook: str
    points: float | None
    most: float
    tests: tuple[TestResult, ...] = ()
    written: bool = False
    replaced: float | None = None
    text: str = ""
    comment: str = ""

    @property
    def lost(self) -> list[TestResult]:
        """The tests that did not give all their points."""
        return [test for test in self.tests if test.verdict != "pass"]

    @property
    def diagnosis(self) -> str:
        """What is wrong with the function, in the words of the test that tells it best."""
        if not self.lost:
            return ""
        best = leading(self.lost)
        return best.diagnosis or best.message  # a report of an older grader has the message alone

    @property
    def passed(self) -> list[TestResult]:
        return [test for test in self.tests if test.verdict == "pass"]


@dataclass(frozen=True)
class Totals:
    """A student's points: of the hidden tests, those given by hand, and what was taken off.

    The points hold a bonus; what they are out of does not.
    """

    points: float
    most: float
    automatic: float
    automatic_most: float
    manual: float
    manual_most: float
    penalty: float
    waiting: int  # written answers that nobody has graded yet
    bonus: float = 0.0
    bonus_most: float = 0.0


def feedback_page(
    result: Result, cards: Iterable[Card], totals: Totals, time: datetime | None = None
) -> str:
    """The page, in the language spoken; `time` (UTC) says when the submission was handed in."""
    notebooks: Mapping[str, list[Card]] = {}
    for card in cards:
        notebooks.setdefault(card.notebook, []).append(card)
    return rendered(
        "feedback.html",
        result=result,
        notebooks=notebooks,
        totals=totals,
        time=time and time.strftime("%Y-%m-%d %H:%M"),
        sign=sign,
        bonus=result.bonus and {"about": about(result.bonus), "message": result.bonus.message},
    )


def about(bonus: Bonus) -> str:
    """The points of the challenge and the student's name on the board, in a sentence."""
    return str(
        sentence(
            "challenge_points",
            points=number(bonus.points),
            most=number(bonus.max_points),
            pseudonym=bonus.pseudonym,
        )
    )
