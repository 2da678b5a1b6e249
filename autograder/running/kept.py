"""Results that are kept, each in a file of its own, so that a batch run again goes on.

A kept result counts only for what it was made from: what was handed in, the course secret, the
limits, the language and the grader itself. They are kept as one fingerprint. The secret is the key
of that fingerprint, so it cannot be read from it.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from autograder.grade import Grader, cases_of
from autograder.result import Result, write_text
from autograder.running.version import grader_version
from keyhole.messages import language

FOLDER = ".kept"  # in place of the ending of a report's name


def kept_beside(report: Path) -> Path:
    """The folder of the results that go with a report."""
    return report.with_name(report.stem + FOLDER)


class KeptResults:
    """The kept results of one assignment, in a folder.

    `level` is the level of isolation at which students' code runs now: a result of a lower one does
    not count. What cannot be read does not count either.
    """

    def __init__(self, folder: Path, grader: Grader, assignment: str, level: str):
        self.folder, self.assignment, self._level = folder, assignment, level
        self._secret = grader.secret
        self._terms = _terms(grader, assignment)

    def result_of(self, student: str, handed_in: str) -> Result | None:
        """The student's result for what has the hash `handed_in`; None where there is none."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            entry = json.loads(self._file(student).read_text(encoding="utf-8"))
            result = Result.from_json(entry["result"])
            same = hmac.compare_digest(entry["made_from"], self._made_from(student, handed_in))
            if same and result.student == student and result.isolation <= self._level:
                return result
        return None

    def keep(self, result: Result, handed_in: str) -> None:
        """Write a result down. Raises OSError.

        One in which the grader itself failed is not kept, so that it is graded again.
        """
        if result.our_fault:
            self._file(result.student).unlink(missing_ok=True)
            return
        made_from = self._made_from(result.student, handed_in)
        entry = {"made_from": made_from, "handed_in": handed_in, "result": result.to_json()}
        write_text(self._file(result.student), json.dumps(entry, ensure_ascii=False) + "\n")

    def _file(self, student: str) -> Path:
        return _file(self.folder, student)

    def _made_from(self, student: str, handed_in: str) -> str:
        made_from = json.dumps([self._terms, student, handed_in])
        return hmac.new(self._secret, made_from.encode(), hashlib.sha256).hexdigest()


def handed_in_of(folder: Path, student: str) -> str | None:
    """The hash of what was graded, where a result of the student's is kept in the folder."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return json.loads(_file(folder, student).read_text(encoding="utf-8"))["handed_in"]
    return None


def _file(folder: Path, student: str) -> Path:
    """A name that no student's name can make too long, or point elsewhere."""
    name = hashlib.sha256(student.encode(errors="surrogateescape")).hexdigest()[:32]
    return folder / f"{name}.json"


def _terms(grader: Grader, assignment: str) -> Mapping[str, object]:
    """Whatever but the submission decides on a result."""
    return {
        "grader": grader_version(),
        "assignment": assignment,
        "tests": {
            name: [(case.id, case.points) for case in cases_of(hidden)]
            for name, hidden in grader.notebooks.items()
        },
        "limits": asdict(grader.limits),
        "seconds": grader.seconds,
        "language": language(),
    }
