"""What grading one submission yields, and how it is written down."""

import importlib.metadata
import json
import math
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from keyhole.files import write_atomically

VERDICTS = ("pass", "fail", "missing", "error", "timeout")
BONUS = frozenset({"5_learn_to_edit"})  # notebooks whose points come on top of the course's
FOR_STAFF = 0o640  # the mode of a file with marks
DECIMALS = 4  # of points: sums of fractions print as a person would write them
PACKAGES = ("keyhole-homework", "torch", "transformers", "numpy", "nbgrader")


@cache
def versions_here() -> tuple[tuple[str, str], ...]:
    """(name, version) of Python, and of the packages on which numbers and pages depend."""
    found = [("Python", platform.python_version())]
    for package in PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found.append((package, importlib.metadata.version(package)))
    return tuple(found)


def clamped(points: float, max_points: float) -> float:
    """`points` as a plain finite float in [0, max_points]; what is not a number counts as 0."""
    points = float(points)
    return (
        round(min(max(points, 0.0), float(max_points)), DECIMALS) if math.isfinite(points) else 0.0
    )


@dataclass(frozen=True)
class TestResult:
    """What one hidden test says.

    `message` may quote the student: escape it wherever it is shown.
    """

    __test__ = False  # not a test of ours, whatever pytest thinks of the name

    id: str
    notebook: str
    points: float
    max_points: float
    verdict: str
    message: str
    misconception: str | None = None
    symptom: str | None = None  # what is systematic about it, where no misconception is named
    title: str = ""
    diagnosis: str = ""  # what of the message matters most
    our_fault: bool = False  # the grader itself failed on it; this is not in the report

    def __post_init__(self):
        if self.verdict not in VERDICTS:
            raise ValueError(
                f"{self.id}: the verdict {self.verdict!r} is none of {', '.join(VERDICTS)}"
            )
        object.__setattr__(self, "max_points", float(self.max_points))
        object.__setattr__(self, "points", clamped(self.points, self.max_points))

    @property
    def function(self) -> str:
        """The graded function that the test is about."""
        return function_of(self.id)


@dataclass(frozen=True)
class Bonus:
    """What the challenge gave: points beyond those of the course.

    `pseudonym` is how the board calls the student. What was measured is None where the file could
    not be used. `S` and the shares are in [0, 1].
    """

    points: float
    max_points: float
    message: str
    pseudonym: str
    passed: tuple[str, ...] = ()  # the baselines, by name
    measured: dict[str, float] | None = None
    our_fault: bool = False  # the grader itself failed on it; this is not in the report

    def to_json(self) -> dict:
        """Its entry in the report."""
        entry = asdict(self) | {"passed": list(self.passed)}
        del entry["our_fault"]
        return entry

    @classmethod
    def from_json(cls, entry: dict) -> "Bonus":
        """What `to_json` wrote down."""
        return cls(**entry | {"passed": tuple(entry["passed"])})


@dataclass(frozen=True)
class Alike:
    """A group of students who handed in alike: its number in the report, and in what.

    The kinds are those of submissions/copies.py; `detail` names the fact, where it is one.
    """

    group: int
    kinds: tuple[str, ...]
    detail: str = ""


@dataclass(frozen=True)
class Result:
    """One graded submission.

    `status` is "failed" when nothing in it could be graded; `reason` then says why. `note` and
    `alike`, on likely copies, are for the staff alone: no student reads them. `bonus` is no part of
    the score; it is None where nothing was handed in for the challenge. `versions` are those of the
    machine that graded; reports of older graders have none.
    """

    student: str
    assignment: str
    status: str
    reason: str | None
    isolation: str
    seconds: float
    tests: tuple[TestResult, ...]
    note: str | None = None
    alike: tuple[Alike, ...] = ()
    bonus: Bonus | None = None
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def our_fault(self) -> bool:
        """Did the grader itself fail on a part of it?"""
        bonus = self.bonus is not None and self.bonus.our_fault
        return bonus or any(test.our_fault for test in self.tests)

    @property
    def told(self) -> str | None:
        """What the staff reads of it: the reason and the note."""
        return " ".join(filter(None, (self.reason, self.note))) or None

    def bare(self) -> "Result":
        """What two gradings of the same must have alike: no note, no seconds, no versions."""
        return replace(self, note=None, alike=(), seconds=0.0, versions=())

    @property
    def score(self) -> float:
        return round(sum(test.points for test in self.tests), DECIMALS)

    @property
    def max_score(self) -> float:
        """Without the bonus: whoever has all points and all of the bonus scores more."""
        counted = (test.max_points for test in self.tests if test.notebook not in BONUS)
        return round(sum(counted), DECIMALS)

    @property
    def max_bonus(self) -> float:
        """What can be had on top."""
        most = (test.max_points for test in self.tests if test.notebook in BONUS)
        return round(sum(most), DECIMALS)

    def to_json(self) -> dict:
        """An entry of the report.

        Its reason is all that the staff reads; a note is there once more, by itself.
        """
        return {
            "student": self.student,
            "assignment": self.assignment,
            "status": self.status,
            "reason": self.told,
            **({"note": self.note} if self.note else {}),
            **({"alike": [asdict(each) for each in self.alike]} if self.alike else {}),
            "score": self.score,
            "max_score": self.max_score,
            **({"bonus": self.bonus.to_json()} if self.bonus else {}),
            "isolation": self.isolation,
            "seconds": round(self.seconds, 3),
            **({"versions": dict(self.versions)} if self.versions else {}),
            "tests": [
                {
                    "id": test.id,
                    "notebook": test.notebook,
                    "title": test.title,
                    "points": test.points,
                    "max_points": test.max_points,
                    "verdict": test.verdict,
                    "message": test.message,
                    "misconception": test.misconception,
                    "symptom": test.symptom,
                    "diagnosis": test.diagnosis,
                }
                for test in self.tests
            ],
        }

    @classmethod
    def from_json(cls, entry: dict) -> "Result":
        """What `to_json` wrote down."""
        fields = {
            key: entry[key] for key in ("student", "assignment", "status", "isolation", "seconds")
        }
        told, note = entry["reason"], entry.get("note")
        reason = told[: -len(note)].rstrip() or None if note else told
        tests = tuple(TestResult(**test) for test in entry["tests"])
        bonus = Bonus.from_json(entry["bonus"]) if entry.get("bonus") else None
        alike = tuple(
            Alike(each["group"], tuple(each["kinds"]), each["detail"])
            for each in entry.get("alike", ())
        )
        versions = tuple(entry.get("versions", {}).items())
        given = {"note": note, "alike": alike, "bonus": bonus, "versions": versions}
        return cls(**fields, reason=reason, tests=tests, **given)


def function_of(test_id: str) -> str:
    """The graded function in a test's id: `rank_one_update.conv1d` is about `rank_one_update`."""
    return test_id.partition(".")[0]


def name_shown(name: str, limit: int = 40) -> str:
    """A student's name, as long as `limit`, in which nothing moves a cursor or stays unseen.

    Such characters are shown as escapes, like `\\x1b`. In an ASCII locale Python takes the bytes of
    a UTF-8 name for half characters; here they are put together again.
    """
    with suppress(UnicodeError):
        name = name.encode("utf-8", "surrogateescape").decode("utf-8")
    seen = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return seen if len(seen) <= limit else seen[: limit - 1] + "…"


def write_text(path: str | Path, text: str) -> None:
    """Write the whole file or nothing, for its owner and the owner's group: it holds marks."""
    # A lone surrogate (from a file name or a message) must not cost the batch its report.
    content = text.encode("utf-8", errors="backslashreplace")
    write_atomically(Path(path), content, FOR_STAFF)


def write_json(path: str | Path, results: Iterable[Result]) -> None:
    """The report that others read: a list with one entry a student."""
    entries = [result.to_json() for result in results]
    write_text(path, json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> list[Result]:
    return [Result.from_json(entry) for entry in json.loads(Path(path).read_text(encoding="utf-8"))]
