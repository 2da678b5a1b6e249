"""Likely copies among the facts that a class handed in: a note for the staff.

Nobody loses a point by it, and no student reads it.

The whole class's folders are compared before any is graded, so neither the order of grading nor
--jobs nor --students matters.
"""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import torch

from autograder.result import Result
from autograder.submissions.folder import BESIDE, handed_in, students_in
from keyhole.checking.own_fact import OwnEdit, OwnFact, plain, read_edit, read_fact
from keyhole.errors import KeyholeError
from keyhole.text import one_line

SAME_EDIT = (
    0.9999  # cosine of the columns and of the rows; other targets or other subjects lie below 0.99
)
STAFF = "For the staff, no points lost:"
MOST_NAMED = 5


@dataclass(frozen=True)
class Copy:
    """Two students who handed in alike, and in what."""

    students: tuple[str, str]
    alike: str

    def __str__(self):
        return f"{' and '.join(one_line(name, 40) for name in self.students)}: {self.alike}"


def likely_copies(
    submitted: str | Path, assignment: str, weight_shape: tuple[int, int]
) -> list[Copy]:
    """Every pair of students in `submitted` whose fact or whose edit is the same.

    Files that cannot be used are left to their tests.
    """
    facts, edits = {}, {}
    for student in students_in(Path(submitted)):
        if Path(submitted, student).is_symlink():
            continue
        with handed_in(Path(submitted, student, assignment), BESIDE) as handed:
            own = handed.folder_of(None)
            with suppress(KeyholeError):
                facts[student] = read_fact(own)
            with suppress(KeyholeError):
                edits[student] = read_edit(own, weight_shape)
    alike = defaultdict(list)
    for pair, words in (*_same_facts(facts), *_same_edits(edits)):
        alike[pair].append(words)
    return [Copy(pair, "; ".join(words)) for pair, words in sorted(alike.items())]


def _same_facts(facts: Mapping[str, OwnFact]):
    """(pair, words) of those who move the same subject from the same answer to the same new one."""
    groups = defaultdict(list)
    for student, own in facts.items():
        groups[
            tuple(
                plain(text)
                for text in (own.fact.subject, own.fact.target_true, own.fact.target_new)
            )
        ].append(student)
    for students in groups.values():
        for one, other in combinations(sorted(students), 2):
            fact = facts[one].fact
            moved = f"{fact.subject}:{fact.target_true} →{fact.target_new}"
            same = (
                "every probe word for word"
                if fact.probes() == facts[other].fact.probes()
                else "other probes"
            )
            yield ((one, other), f"the same fact ({one_line(moved, 100)}), {same}")


def _same_edits(edits: Mapping[str, OwnEdit]):
    """(pair, words) of those whose changes Ŵ - W are the same but for their size."""
    students = sorted(name for name, edit in edits.items() if edit.left.any() and edit.right.any())
    if len(students) < 2:
        return
    cosines = torch.ones(())
    for part in ("left", "right"):
        rows = torch.nn.functional.normalize(
            torch.stack([getattr(edits[name], part) for name in students]), dim=1
        )
        cosines = torch.minimum(cosines, (rows @ rows.T).abs())
    for i, j in (cosines >= SAME_EDIT).triu(1).nonzero().tolist():
        yield (students[i], students[j]), "the same change of W"


def with_note(result: Result, copies: list[Copy]) -> Result:
    """The result with a note for the staff, in the place of any earlier note."""
    mine = [
        (next(name for name in copy.students if name != result.student), copy.alike)
        for copy in copies
        if result.student in copy.students
    ]
    if not mine or result.status == "failed":  # a failed one has nothing that could be a copy
        return replace(result, note=None)
    named = ". ".join(f"like {one_line(name, 40)}: {alike}" for name, alike in mine[:MOST_NAMED])
    more = f" And like {len(mine) - MOST_NAMED} more." if len(mine) > MOST_NAMED else ""
    return replace(result, note=f"{STAFF} {named}.{more}")
