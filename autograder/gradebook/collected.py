"""Puts a download where `autograder grade` reads it, and keeps what finds the students again.

That is `collected.csv` beside the students' folders: one row for each file.
"""

import csv
import io
import shutil
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder.gradebook.downloads import RESUBMITTED, SYSTEMS, Entry, Handed, entries_of, safe
from autograder.gradebook.roster import Roster, read_table
from autograder.result import name_shown, write_text
from autograder.submissions.timestamp import TIMESTAMP
from keyhole.errors import Unusable

LIST = "collected.csv"
COLUMNS = ["student", "name", "system", "place", "late", "time", "file", "kept_as"]


@dataclass
class Collected:
    """What became of a download: who has files, and one sentence on whatever needs a look."""

    students: dict[str, int] = field(default_factory=dict)  # with the number of their files
    late: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)  # whose files were left where they are
    rows: list[list[str]] = field(default_factory=list)


def collect(download: Path, system: str, roster: Roster, to: Path, assignment: str) -> Collected:
    """Write TO/<student>/<assignment>/ for everybody in a download. Raises Unusable, OSError."""
    done = Collected()
    earlier = {row["student"] for row in rows_in(to)}
    with entries_of(download) as entries:
        by_student: dict[str, list[Handed]] = {}
        for each in SYSTEMS[system](entries):
            if isinstance(each, Entry):
                done.told.append(f"left out {name_shown(str(each.path), 80)}: it is no submission")
            elif student := roster.find(each.ids, each.name):
                by_student.setdefault(student, []).append(each)
            else:
                done.unknown.append(name_shown(each.place, 60))
        for student, handed in sorted(by_student.items()):
            folder = to / student / assignment
            if folder.exists() and student not in earlier:
                raise Unusable(
                    f"{folder} is there already and was not collected: move it away, or choose"
                    " another --to"
                )
            shutil.rmtree(folder, ignore_errors=True)
            _write(student, handed, folder, roster, system, done)
    done.unknown = list(dict.fromkeys(done.unknown))
    kept = [row for row in rows_in(to) if row["student"] not in by_student]
    rows = [[row[column] for column in COLUMNS] for row in kept] + done.rows
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows([COLUMNS, *sorted(rows)])
    write_text(to / LIST, table.getvalue())
    return done


def _write(
    student: str, handed: list[Handed], folder: Path, roster: Roster, system: str, done: Collected
) -> None:
    """Write one student's files."""
    taken: set[str] = set()
    names = {each.file.name for each in handed}
    for each in handed:
        file = _kept_as(each.file, names, taken)
        if not safe(each.file):
            done.told.append(f"{name_shown(student)}: left out {name_shown(str(each.file), 60)}")
            continue
        if file != each.file:
            done.told.append(
                f"{name_shown(student)}: {name_shown(str(each.file), 60)} kept as {file}"
            )
        try:
            each.entry.copy_to(folder / file)
        except (OSError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
            (folder / file).unlink(missing_ok=True)
            done.told.append(f"{name_shown(student)}: {file} cannot be read: {error}")
            continue
        taken.add(str(file).casefold())
        late, time = "late" if each.late else "", each.time or each.entry.changed
        done.rows.append(
            [student, roster.name_of(student), system, each.place, late, time]
            + [str(each.file), str(file)]
        )
    done.students[student] = len(taken)
    if any(each.late for each in handed):
        done.late.append(student)
    time = next((each.time for each in handed if each.time), None)
    if time and TIMESTAMP not in taken:
        (folder / TIMESTAMP).write_text(time, encoding="utf-8")


def _kept_as(file: PurePosixPath, names: set[str], taken: set[str]) -> PurePosixPath:
    """The name under which a file is kept: without Canvas's -1, and no name twice."""
    plain = RESUBMITTED.sub("", file.name)
    if plain != file.name and plain not in names:
        file = file.with_name(plain)
    number, kept = 1, file
    while str(kept).casefold() in taken:
        number += 1
        kept = file.with_name(f"{file.stem} ({number}){file.suffix}")
    return kept


def rows_in(folder: Path) -> list[dict[str, str]]:
    """What was collected into a folder; nothing where nothing was. Raises Unusable."""
    if not (folder / LIST).is_file():
        return []
    header, rows = read_table(folder / LIST)
    if header != COLUMNS:
        raise Unusable(f"{folder / LIST} is not as `autograder collect` writes it")
    return [dict(zip(COLUMNS, row)) for row in rows if len(row) == len(COLUMNS)]


def feedback_zip(system: str, rows: Iterable[dict[str, str]], pages: dict[str, Path]) -> bytes:
    """A zip that Canvas or Moodle takes for feedback: each student's page, where it is looked for.

    `pages`: student -> file. Of a student who handed in several files the first one's place counts.
    """
    packed, seen = io.BytesIO(), set()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in rows:
            student, place = row["student"], row["place"]
            if row["system"] != system or student in seen or student not in pages:
                continue
            seen.add(student)
            name = f"{place}_feedback.html" if system == "canvas" else f"{place}/feedback.html"
            archive.write(pages[student], name)
    return packed.getvalue()
