"""Likely copies among the facts that a class handed in: a note for the staff.

Nobody loses a point by it, and no student reads it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import torch

from autograder.result import Result, name_shown
from keyhole.checking.own_fact import OwnEdit, OwnFact, plain, read_edit, read_fact
from keyhole.errors import KeyholeError
from keyhole.text import one_line

# Cosine of the columns and of the rows. Other targets or other subjects lie below 0.99.
SAME_EDIT = 0.9999
STAFF = "For the staff, no points lost:"
MOST_NAMED = 5


@dataclass(frozen=True)
class OwnWork:
    """The fact and the edit that a student handed in; None for one that cannot be used."""

    fact: OwnFact | None
    edit: OwnEdit | None


@dataclass(frozen=True)
class Copy:
    """Two students who handed in alike, and in what."""

    students: tuple[str, str]
    alike: str

    def __str__(self):
        return f"{' and '.join(map(name_shown, self.students))}: {self.alike}"


def own_work(folder: Path, weight_shape: tuple[int, int]) -> OwnWork:
    """The student's own files in a folder, for a W of `weight_shape` (d_out, d_in).

    Files that cannot be used are left to their tests.
    """
    fact = edit = None
    with suppress(KeyholeError):
        fact = read_fact(folder)
    with suppress(KeyholeError):
        edit = read_edit(folder, weight_shape)
    return OwnWork(fact, edit)


def likely_copies(works: Mapping[str, OwnWork]) -> list[Copy]:
    """Every pair of students whose fact or whose edit is the same."""
    facts = {student: work.fact for student, work in works.items() if work.fact}
    edits = {student: work.edit for student, work in works.items() if work.edit}
    alike = defaultdict(list)
    for pair, words in (*_same_facts(facts), *_same_edits(edits)):
        alike[pair].append(words)
    return [Copy(pair, "; ".join(words)) for pair, words in sorted(alike.items())]


def _same_facts(facts: Mapping[str, OwnFact]) -> Iterator[tuple[tuple[str, str], str]]:
    """(pair, words) of those who move the same subject from the same answer to the same new one.

    The words of their prompts do not matter.
    """
    groups = defaultdict(list)
    for student, own in facts.items():
        moved = own.fact.subject, own.fact.target_true, own.fact.target_new
        groups[tuple(map(plain, moved))].append(student)
    for students in groups.values():
        for one, other in combinations(sorted(students), 2):
            fact = facts[one].fact
            shown = one_line(f"{fact.subject}:{fact.target_true} →{fact.target_new}", 100)
            same = fact.probes() == facts[other].fact.probes()
            probes = "every probe word for word" if same else "other probes"
            yield (one, other), f"the same fact ({shown}), {probes}"


def _same_edits(edits: Mapping[str, OwnEdit]) -> Iterator[tuple[tuple[str, str], str]]:
    """(pair, words) of those whose changes Ŵ - W are the same but for their size."""
    students = sorted(name for name, edit in edits.items() if edit.left.any() and edit.right.any())
    if len(students) < 2:
        return
    cosines = torch.ones(())
    for part in ("left", "right"):
        vectors = torch.stack([getattr(edits[name], part) for name in students])
        rows = torch.nn.functional.normalize(vectors, dim=1)
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
    named = ". ".join(f"like {name_shown(name)}: {alike}" for name, alike in mine[:MOST_NAMED])
    more = f" And like {len(mine) - MOST_NAMED} more." if len(mine) > MOST_NAMED else ""
    return replace(result, note=f"{STAFF} {named}.{more}")
