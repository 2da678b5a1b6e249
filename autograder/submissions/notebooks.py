"""What one student handed in: each notebook's cells and definitions, or one sentence on why none.

The grader looks for a notebook as a person would: in its place, else under another name, a folder
deeper or in a zip, by what is in it. Whatever was taken in place of something else, or mended in
it, is said in one sentence.
"""

import errno
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.messages import sentence
from autograder.submissions.cells import Plan, Survey, named
from autograder.submissions.folder import (
    BESIDE,
    Candidate,
    HandedIn,
    files_beside,
    open_folder,
    unread_file,
)
from autograder.submissions.timestamp import TIMESTAMP, time_in
from keyhole.errors import KeyholeError
from keyhole.messages import Remark, titled
from keyhole.notebooks.definitions import Definitions, Work, definitions, read_mended
from keyhole.text import one_line

MOST_CANDIDATES = 12  # notebooks that are looked at in search of one that is not in its place
# Notebooks that are read in search of all those of a submission, and their size together.
MOST_SEARCHED, SEARCHED_MB = 20, 512
NUMBERS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Submitted:
    """One notebook of a submission. Without `definitions`, `reason` says in one sentence why."""

    name: str
    folder: Path  # of the files handed in beside it
    definitions: Definitions | None = None
    reason: Remark | str | None = None
    cells: tuple = ()  # as read_mended gives them
    ids: tuple = ()  # of the cells, each once where it counts, None elsewhere
    notes: tuple[Remark | str, ...] = ()  # one sentence each: what was skipped or mended
    filled: int = 0  # graded functions that are no blanks any more
    graded: frozenset[str] = frozenset()  # ids of the cells that the hidden tests are about


class Submission(Mapping[str, Submitted]):
    """One student's submission, read once: name of a notebook -> what was handed in as it.

    What was unpacked of its zips is there until `close`, or to the end of a `with`.
    """

    def __init__(
        self, handed: HandedIn, notebooks: dict[str, Submitted], seconds: float, unpacked: ExitStack
    ):
        self.handed, self.seconds = handed, seconds  # that reading took
        self._notebooks, self._unpacked = notebooks, unpacked
        self.time = next(filter(None, map(time_in, self._folders())), None)  # it was handed in

    def _folders(self) -> Collection[Path]:
        """The folders of what counts."""
        folders = self.handed.folder, *(each.folder for each in self._notebooks.values())
        return () if self.handed.shut else dict.fromkeys(folders)

    def __getitem__(self, name: str) -> Submitted:
        return self._notebooks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._notebooks)

    def __len__(self) -> int:
        return len(self._notebooks)

    def __enter__(self) -> "Submission":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked."""
        self._unpacked.close()


def read_submission(folder: str | Path, assignment_notebooks: Mapping[str, Plan]) -> Submission:
    """Read the notebooks of one student's folder SUBMITTED/<student>/<assignment>.

    `assignment_notebooks` maps a notebook's name (without .ipynb) to what is graded in it. Nothing
    that a student can put into the folder raises here. No link in it is followed: it could point at
    the staff's files. Whoever reads closes the submission.
    """
    start = time.perf_counter()
    all_expected = assignment_notebooks.values()
    files = [f"{name}.ipynb" for name in assignment_notebooks]
    if any(expected.of_files for expected in all_expected):
        files += BESIDE
    functions = {function for expected in all_expected for function in expected.functions}
    with ExitStack() as unpacked:
        handed = unpacked.enter_context(open_folder(Path(folder), files))
        reader = _Reader(functions)
        on_all = list(handed.unread)
        if _time_lost(handed):
            on_all.append(sentence("time_unreadable"))
        notebooks = {
            name: _with_notes(_Search(handed, reader, name, expected).best(), *on_all)
            for name, expected in assignment_notebooks.items()
        }
        seconds = time.perf_counter() - start
        return Submission(handed, notebooks, seconds, unpacked.pop_all())


def _time_lost(handed: HandedIn) -> bool:
    """Is there a timestamp.txt without a time?"""
    there = not handed.shut and os.path.lexists(handed.folder / TIMESTAMP)
    return there and time_in(handed.folder) is None


class _Reader:
    """The notebook files of one submission.

    Each is read once, whatever it is held to be. What is read of them all together is bounded.
    """

    def __init__(self, code: Collection[str]):
        self._code, self._work, self._read = code, Work(), {}
        self.unread: dict[Path, Remark] = {}  # the sentence on each file that could not be read
        self._left, self._room = MOST_SEARCHED, SEARCHED_MB * 2**20

    def read(self, path: Path) -> tuple:
        """A file's notebook, sentences on what was mended, and its definitions.

        Raises KeyholeError.
        """
        if path not in self._read:
            try:
                notebook, notes = read_mended(path, follow_links=False)
                self._read[path] = notebook, notes, definitions(notebook, self._code, self._work)
            except KeyholeError as error:
                # The words alone are kept: an error holds on to the whole file.
                self._read[path] = one_line(self._unread(path, error) or error)
        if isinstance(self._read[path], str):
            raise KeyholeError(self._read[path])
        return self._read[path]

    def _unread(self, path: Path, error: KeyholeError) -> Remark | None:
        """What is said to the staff of a file that cannot be read, or is gone meanwhile."""
        if error.code not in ("file_unreadable", "file_absent"):
            return None
        why = error.remarks[0].details.get("why", os.strerror(errno.ENOENT))
        self.unread[path] = sentence("unread", place=one_line(path.name, 80), why=why)
        return self.unread[path]

    def has_room(self, path: Path) -> bool:
        """May this file be read in search of a notebook? Reading one again costs nothing."""
        if path not in self._read:
            try:
                size = path.lstat().st_size
            except OSError:
                size = 0  # reading it will say why
            if not self._left or size > self._room:
                return False
            self._left, self._room = self._left - 1, self._room - size
        return True


@dataclass(frozen=True)
class _Search:
    """The search for one notebook in a submission."""

    handed: HandedIn
    reader: _Reader
    name: str
    expected: Plan

    @property
    def path(self) -> Path:
        """Where the notebook belongs."""
        return self.handed.folder / f"{self.name}.ipynb"

    def best(self) -> Submitted:
        """The notebook that counts.

        It is the one in its place if anything is filled in there, else the fullest of those that
        clearly are it.
        """
        own, rest = self._own(), self._rest()
        if own and own.filled:
            more = [file.shown for file in rest if self._alike(file) and not file.checkpoint]
            also = [sentence("also_there", file=self.path.name, others=named(more))] if more else []
            return _with_notes(own, *also)
        looked_at = [
            (file, self._looked_at(file))
            for file in rest[:MOST_CANDIDATES]
            if self.reader.has_room(file.path)
        ]
        unread = self.reader.unread
        missed = [unread[file.path] for file, _ in looked_at if file.path in unread]
        why_none = missed[0] if missed else self._why_none()
        if len(looked_at) < len(rest):
            missed.append(sentence("not_all_read", file=self.path.name))
        others = [(file, read) for file, read in looked_at if read.definitions]
        if not others or own and own.definitions and not any(read.filled for _, read in others):
            nothing = Submitted(self.name, self.handed.folder_of(None), reason=why_none)
            return _with_notes(own or nothing, *missed)
        file, best = max(others, key=_rank)
        return _with_notes(best, *self._why(file, best, own, others), *missed)

    def _own(self) -> Submitted | None:
        """What is in the notebook's place."""
        # What the folder lists may be there although no more can be learnt of it.
        listed = any(file.path == self.path for file in self.handed.notebooks)
        if self.handed.shut or not listed and not os.path.lexists(self.path):
            return None
        return self._looked_at(Candidate(self.path, self.path.name))

    def _rest(self) -> list[Candidate]:
        """The other files that may be it; those of its name first, Jupyter's checkpoints last."""
        rest = [file for file in self.handed.notebooks if file.path != self.path]
        return sorted(rest, key=lambda file: (not self._alike(file), file.checkpoint))

    def _alike(self, file: Candidate) -> bool:
        return self.name.casefold() in file.path.name.casefold()

    def _looked_at(self, file: Candidate) -> Submitted:
        """A file, taken for this notebook."""
        name, expected, folder = self.name, self.expected, self.handed.folder_of(file.path)
        shown = one_line(file.path.name, 80)
        try:
            notebook, notes, found = self.reader.read(file.path)
        except KeyholeError as error:
            return Submitted(name, folder, reason=str(error))
        if expected.of_files:
            notes = (*notes, *self._on_files(file, folder))
        survey, graded = Survey(notebook, found, expected), frozenset(expected.names)
        defined = [
            function
            for function in expected.functions
            if function in found.functions or function in found.broken
        ]
        # Elsewhere a function more or less may be a helper that has the same name.
        enough = file.path.name == self.path.name or 2 * len(defined) >= len(expected.functions)
        if graded.isdisjoint(survey.ids) and not (defined and enough):
            return Submitted(name, folder, reason=sentence("not_this", file=shown))
        on_cells = (titled(shown, note) for note in found.notes)
        return Submitted(
            name,
            folder,
            definitions=found,
            cells=tuple(notebook.cells),
            ids=survey.ids,
            notes=(*notes, *survey.notes(file.path.name), *on_cells),
            filled=len(set(expected.functions) & (found.functions - found.untouched)),
            graded=graded,
        )

    def _on_files(self, file: Candidate, folder: Path) -> list[Remark | str]:
        """Sentences on what is handed in beside a notebook.

        They say where the files of `folder` are taken from another place or under another name, and
        which zips cannot be opened, where there are no files at all.
        """
        there = files_beside(folder)
        if not there:
            return list(self.handed.problems)
        renamed = [remark for path in there.values() if (remark := unread_file(path))]
        renamed += [
            sentence("file_renamed", file=name, other=one_line(path.name, 80))
            for name, path in there.items()
            if path.name != name
        ]
        zip = self.handed.zip_of(folder)
        if folder == file.path.parent or zip and zip == self.handed.zip_of(file.path):
            return renamed
        shown, place = one_line(file.path.name, 80), one_line(zip or folder.name, 80)
        taken = sentence("files_elsewhere", file=shown, place=place, files=named(there))
        return [taken, *renamed]

    def _why(
        self,
        file: Candidate,
        best: Submitted,
        own: Submitted | None,
        others: list[tuple[Candidate, Submitted]],
    ) -> list[Remark | str]:
        """Sentences on why `file` was taken, and from where."""
        wanted, shown = self.path.name, one_line(file.shown, 120)
        zip = self.handed.zip_of(file.path)
        tied = [
            other.shown
            for other, read in others
            if other is not file
            and (other.checkpoint, read.filled) == (file.checkpoint, best.filled)
        ]
        notes = [sentence("zip_opened", zip=one_line(zip, 80))] if zip else []
        if own:
            notes.append(own.reason or sentence("still_blank", file=wanted))
            notes.append(sentence("taken_instead", other=shown))
        elif len(others) > 1 and not tied:
            notes.append(sentence("found_among", file=wanted, other=shown, count=len(others)))
        elif tied or not zip or file.path.name != wanted:
            notes.append(sentence("found", file=wanted, other=shown))
        if tied:
            notes.append(sentence("found_tied", others=named(tied)))
        return notes

    def _why_none(self) -> Remark | str:
        """One sentence on why there is no such notebook."""
        handed, file = self.handed, self.path.name
        for problem in (*handed.unread, *handed.problems):
            return problem
        for other in handed.others:
            same_stem = other.rpartition("/")[2].startswith(f"{self.name}.")
            if same_stem and other not in handed.closed and not other.endswith(".zip"):
                return sentence("other_form", file=file, other=one_line(other, 80))
        if handed.closed:
            return sentence("archive_closed", file=file, archives=named(handed.closed))
        if handed.links:
            return sentence("only_links", file=file, links=named(handed.links))
        if any(found.path.name == f".{file}.icloud" for found in handed.notebooks):
            return sentence("in_icloud", file=file)
        if handed.notebooks:
            there = named([found.shown for found in handed.notebooks])
            return sentence("only_others", file=file, others=there)
        if handed.others:
            return sentence("only_these", file=file, others=named(handed.others))
        return sentence("none_at_all", file=file)


def _rank(pair: tuple[Candidate, Submitted]) -> tuple:
    file, read = pair
    return not file.checkpoint, read.filled, _natural(file.shown)


def _natural(text: str) -> list:
    """A key by which `a (10)` comes after `a (9)`."""
    return [
        (int(part[:9]), "") if part.isdecimal() and part.isascii() else (-1, part)
        for part in NUMBERS.split(text)
    ]


def _with_notes(read: Submitted, *notes: Remark | str) -> Submitted:
    return replace(read, notes=(*notes, *read.notes))
