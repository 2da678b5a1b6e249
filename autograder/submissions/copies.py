"""Likely copies in a class: who handed in the same fact, the same edit, or the same writing.

A note for the staff. Nobody loses a point by it, and no student reads it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from autograder.result import Alike, Result, name_shown
from autograder.submissions.writing import Prints
from keyhole.checking.own_fact import OwnEdit, OwnFact, plain, read_edit, read_fact
from keyhole.errors import KeyholeError
from keyhole.text import one_line

# Cosine of the columns and of the rows. Other targets or other subjects lie below 0.99.
SAME_EDIT = 0.9999
# Share of the smaller writing's fingerprints that the larger one has too. Between solutions of
# `trace` that were written independently it is at most 0.1, between variants of one at least 0.7.
SAME_WRITING = 0.7
LEAST_PRINTS = 30  # shorter writing proves nothing
COLUMNS = 4096  # fingerprints that are compared at once; memory grows with it
STAFF = "For the staff, no points lost:"
MOST_NAMED = 5
FACT, OTHER_PROBES, EDIT = "fact", "fact, other probes", "edit"
WORDS = {
    FACT: "the same fact ({detail}), every probe word for word",
    OTHER_PROBES: "the same fact ({detail}), other probes",
    EDIT: "the same change of W",
}


@dataclass(frozen=True)
class OwnWork:
    """What a student handed in that is his or her own.

    `fact` and `edit` are None where they cannot be used; `writing` is what `own_writing` gives.
    """

    fact: OwnFact | None
    edit: OwnEdit | None
    writing: Mapping[str, Prints] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Students who handed in alike, in order, and in what: kinds of WORDS, or parts of writing.

    Those are `trace`, "helpers", and the grade ids of written questions. `detail` says which fact
    it is, where it is one.
    """

    students: tuple[str, ...]
    kinds: tuple[str, ...]
    detail: str = ""

    @property
    def alike(self) -> str:
        """In what, in words."""
        said = [WORDS[kind].format(detail=self.detail) for kind in self.kinds if kind in WORDS]
        if writing := [kind for kind in self.kinds if kind not in WORDS]:
            said.append(f"nearly the same {', '.join(writing)}")
        return "; ".join(said)

    def __str__(self):
        return f"{_names(self.students)}: {self.alike}"


def _names(students: Iterable[str]) -> str:
    """As "ann, bea and 23 more"."""
    shown = list(map(name_shown, students))
    if len(shown) > MOST_NAMED:
        shown[MOST_NAMED:] = [f"{len(shown) - MOST_NAMED} more"]
    *most, last = shown
    return f"{', '.join(most)} and {last}" if most else last


def own_work(
    folder: Path, weight_shape: tuple[int, int], writing: Mapping[str, Prints] | None = None
) -> OwnWork:
    """The student's own files in a folder, for a W of `weight_shape` (d_out, d_in).

    Files that cannot be used are left to their tests.
    """
    fact = edit = None
    with suppress(KeyholeError):
        fact = read_fact(folder)
    with suppress(KeyholeError):
        edit = read_edit(folder, weight_shape)
    return OwnWork(fact, edit, writing or {})


def likely_copies(works: Mapping[str, OwnWork]) -> list[Group]:
    """The groups of students whose fact, edit or writing is the same, the largest first.

    Those that the same students form are one.
    """
    facts = {student: work.fact for student, work in works.items() if work.fact}
    edits = {student: work.edit for student, work in works.items() if work.edit}
    kinds, details = defaultdict(list), {}
    for students, kind, detail in (*_same_facts(facts), *_same_edits(edits), *_same_writing(works)):
        key = students, detail if kind in (FACT, OTHER_PROBES) else details.get(students, "")
        if detail:
            details[students] = detail
        kinds[key].append(kind)
    groups = [Group(students, tuple(found), detail) for (students, detail), found in kinds.items()]
    return sorted(groups, key=lambda group: (-len(group.students), group.students, group.detail))


def _same_facts(facts: Mapping[str, OwnFact]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(students, kind, fact) of those who move a subject from the same answer to the same new one.

    The words of their prompts do not matter; those who have the same probes form a group as well.
    """
    groups = defaultdict(list)
    for student in sorted(facts):
        fact = facts[student].fact
        moved = fact.subject, fact.target_true, fact.target_new
        groups[tuple(map(plain, moved))].append(student)
    for students in groups.values():
        if len(students) < 2:
            continue
        fact = facts[students[0]].fact
        shown = one_line(f"{fact.subject}:{fact.target_true} →{fact.target_new}", 100)
        by_probes = defaultdict(list)
        for student in students:
            by_probes[repr(facts[student].fact.probes())].append(student)
        for same in by_probes.values():
            if len(same) > 1:
                yield tuple(same), FACT, shown
        if len(by_probes) > 1:
            yield tuple(students), OTHER_PROBES, shown


def _same_edits(edits: Mapping[str, OwnEdit]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(students, kind, "") of those whose changes Ŵ - W are the same but for their size."""
    students = sorted(name for name, edit in edits.items() if edit.left.any() and edit.right.any())
    if len(students) < 2:
        return
    cosines = torch.ones(())
    for part in ("left", "right"):
        vectors = torch.stack([getattr(edits[name], part) for name in students])
        rows = torch.nn.functional.normalize(vectors, dim=1)
        cosines = torch.minimum(cosines, (rows @ rows.T).abs())
    for group in _connected(students, (cosines >= SAME_EDIT).triu(1).nonzero().tolist()):
        yield group, EDIT, ""


def _same_writing(works: Mapping[str, OwnWork]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """(students, part, "") of those who wrote nearly the same in a part of their submission."""
    for part in sorted({part for work in works.values() for part in work.writing}):
        prints = {
            student: works[student].writing[part]
            for student in sorted(works)
            if len(works[student].writing.get(part, ())) >= LEAST_PRINTS
        }
        # Equal writing is compared once: half a class may have taken the same solution.
        equal = defaultdict(list)
        for student, found in prints.items():
            equal[found.tobytes()].append(student)
        firsts = [students[0] for students in equal.values()]
        pairs = [(firsts[i], firsts[j]) for i, j in _overlapping([prints[name] for name in firsts])]
        pairs += [(same[0], other) for same in equal.values() for other in same[1:]]
        numbers = {student: number for number, student in enumerate(prints)}
        numbered = ((numbers[one], numbers[other]) for one, other in pairs)
        for group in _connected(list(prints), numbered):
            yield group, part, ""


def _overlapping(prints: list[Prints]) -> list[tuple[int, int]]:
    """The pairs (i, j), i < j, of which the smaller one lies in the other by SAME_WRITING."""
    if len(prints) < 2:
        return []
    values, counts = np.unique(np.concatenate(prints), return_counts=True)
    shared = values[counts > 1]
    common = torch.zeros(len(prints), len(prints))
    for start in range(0, len(shared), COLUMNS):
        piece = shared[start : start + COLUMNS]
        has = torch.from_numpy(np.stack([np.isin(piece, each) for each in prints])).float()
        common += has @ has.T
    sizes = torch.tensor([float(len(each)) for each in prints])
    smaller = torch.minimum(sizes[:, None], sizes[None, :])
    return [tuple(pair) for pair in (common >= SAME_WRITING * smaller).triu(1).nonzero().tolist()]


def _connected(students: list[str], pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[str, ...]]:
    """The students whom pairs of their numbers connect, in groups of at least two."""
    group = list(range(len(students)))  # number -> a smaller one of its group, or itself

    def first(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    for one, other in pairs:
        low, high = sorted((first(one), first(other)))
        group[high] = low
    members = defaultdict(list)
    for number, student in enumerate(students):
        members[first(number)].append(student)
    yield from (tuple(each) for each in members.values() if len(each) > 1)


def with_note(result: Result, groups: list[Group]) -> Result:
    """The result with its groups and a note for the staff, in the place of any earlier ones."""
    mine = [(n, each) for n, each in enumerate(groups, start=1) if result.student in each.students]
    if not mine or result.status == "failed":  # a failed one has nothing that could be a copy
        return replace(result, note=None, alike=())
    said = []
    for _, group in mine[:MOST_NAMED]:
        others = (name for name in group.students if name != result.student)
        said.append(f"like {_names(others)}: {group.alike}")
    more = f" And in {len(mine) - MOST_NAMED} more groups." if len(mine) > MOST_NAMED else ""
    alike = tuple(Alike(number, each.kinds, each.detail) for number, each in mine)
    return replace(result, note=f"{STAFF} {'. '.join(said)}.{more}", alike=alike)
