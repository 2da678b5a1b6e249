"""Who is in the course: names and ids of a roster, and who is meant by those of another system."""

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from keyhole.errors import Unusable
from keyhole.text import one_line

# The first of these columns that a roster has names the folder of a student.
STUDENT = ("student_id", "student id", "id", "sis login id", "username", "sis user id", "id number")
STUDENT += ("sid", "student", "email", "email address")
NAME, FIRST = ("name", "full name", "全名"), ("first_name", "first name", "名字")
LAST = ("last_name", "last name", "surname", "姓氏")
FOLDER = re.compile(r'[\x00-\x1f/\\:*?"<>|\[\]%]|^\.+')  # what no folder of a student may have
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Person:
    """One student: the name of the folder, the name, and all ids in other systems."""

    student: str
    name: str
    ids: frozenset[str]


class Roster:
    """The people of a course. Raises Unusable where two of them have one folder."""

    def __init__(self, people: Iterable[Person]):
        self.people = tuple(people)
        self._by_id: dict[str, set[str]] = {}
        self._by_name: dict[str, set[str]] = {}
        seen = set()
        for person in self.people:
            if person.student in seen:
                raise Unusable(f"the roster has {person.student!r} twice")
            seen.add(person.student)
            for each in (person.student, *person.ids):
                self._by_id.setdefault(each.casefold(), set()).add(person.student)
            for name in _spellings(person.name):
                self._by_name.setdefault(name, set()).add(person.student)

    def find(self, ids: Iterable[str] = (), name: str = "") -> str | None:
        """The one student with any of these ids, else with this name; None if none or several."""
        for each in ids:
            found = self._by_id.get(each.strip().casefold(), ())
            if each.strip() and len(found) == 1:
                return next(iter(found))
        found = self._by_name.get(_letters(name), ()) if name else ()
        return next(iter(found)) if len(found) == 1 else None

    def name_of(self, student: str) -> str:
        """The student's name; "" where the roster has none."""
        return next((each.name for each in self.people if each.student == student), "")


def read_roster(path: Path) -> Roster:
    """A roster in a CSV file: of our own, of nbgrader, or exported from Canvas or Moodle.

    Raises Unusable.
    """
    header, rows = read_table(path)
    if header[:2] == ["Student", "ID"]:  # Canvas: the first is the name, the second its own id
        columns = ["name", "canvas", *(cell.casefold().strip() for cell in header[2:])]
    else:
        columns = [cell.casefold().strip() for cell in header]
    wanted = next((name for name in STUDENT if name in columns), None)
    if wanted is None:
        raise Unusable(f"{path} has no column of ids: name one of its columns student_id")
    people = []
    for row in rows:
        cells = dict(zip(columns, (cell.strip() for cell in row)))
        if not cells.get(wanted) or "points possible" in cells.get("name", "").casefold():
            continue
        student = cells[wanted]
        if FOLDER.search(student) or len(student) > 100:
            raise Unusable(f"{path}: {one_line(student, 60)!r} cannot be the name of a folder")
        people.append(Person(student, _name(cells), _ids(cells)))
    if not people:
        raise Unusable(f"{path} names nobody")
    return Roster(people)


def _name(cells: dict[str, str]) -> str:
    whole = next((cells[name] for name in NAME if cells.get(name)), "")
    first, last = (next((cells[n] for n in names if cells.get(n)), "") for names in (FIRST, LAST))
    return whole or f"{first} {last}".strip()


def _ids(cells: dict[str, str]) -> frozenset[str]:
    """Whatever may be an id; of "Participant 12345" the number."""
    told = {value for key, value in cells.items() if key not in (*NAME, *FIRST, *LAST) and value}
    return frozenset(told | {NUMBER.findall(value)[-1] for value in told if _participant(value)})


def _participant(value: str) -> bool:
    return len(NUMBER.findall(value)) == 1 and not value.isdigit() and value[-1:].isdigit()


def _spellings(name: str) -> set[str]:
    """The letters of a name, also with the last word first: "Doe, Jane" and "Jane Doe"."""
    words = [word for word in re.split(r"[\s,]+", name) if word]
    turned = (words[cut:] + words[:cut] for cut in range(len(words)))
    return {_letters("".join(order)) for order in turned} - {""}


def _letters(name: str) -> str:
    plain = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in plain if letter.isalnum())


def read_table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file, with commas or semicolons. Raises Unusable."""
    text = text_of(path)
    rows = list(csv.reader(text.splitlines(keepends=True), delimiter=delimiter_of(text)))
    if not rows:
        raise Unusable(f"{path} is empty")
    return rows[0], rows[1:]


def text_of(path: Path) -> str:
    """The text of a CSV file, without a byte-order mark. Raises Unusable."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Unusable(f"{path} is not in UTF-8: save it as CSV UTF-8") from None


def delimiter_of(text: str) -> str:
    """What parts the cells of a CSV file, by its header."""
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count)
