"""What lies in a student's folder, also some levels down and in zips, before anything is read.

Nothing here follows a link.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from autograder.messages import sentence
from autograder.result import name_shown
from autograder.submissions.timestamp import TIMESTAMP, time_in
from autograder.submissions.zips import ARCHIVES, READING, unpacked
from keyhole.errors import KeyholeError
from keyhole.messages import Remark
from keyhole.notebooks.file import MOST_ENTRIES, file_called, is_called
from keyhole.paths import CHALLENGE_FILE
from keyhole.paths import OWN_FILES as BESIDE
from keyhole.text import one_line

CHECKPOINTS = ".ipynb_checkpoints"
DEPTH, MOST_FOLDERS = 3, 300  # how far down the grader looks, and into how many folders
MOST_ZIPS = 3  # that are unpacked
HASHED_MB = 512  # of one file
ABSENT = (FileNotFoundError, NotADirectoryError)  # any other error says nothing of what is there


@dataclass(frozen=True)
class Candidate:
    """A file that may be a notebook, and how a sentence calls it."""

    path: Path
    shown: str
    checkpoint: bool = False


@dataclass(frozen=True)
class HandedIn:
    """What one student handed in.

    The files of a folder come before those a level down; those taken out of zips come last.
    """

    # Where the notebooks should be.
    folder: Path
    # Nothing may be looked at: it is a link, may not be entered, or is not there.
    shut: bool = False
    notebooks: tuple[Candidate, ...] = ()
    # The other files by name, or the folders where there is no file at all.
    others: tuple[str, ...] = ()
    # Archives that are not opened, and links that are not followed.
    closed: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    # Folders that hold files which go with a notebook.
    folders: tuple[Path, ...] = ()
    # Folders in which zips were unpacked -> the names of the zips.
    opened: Mapping[Path, str] = field(default_factory=dict)
    # A sentence for everything that could not be read, through no fault of the student's.
    unread: tuple[Remark, ...] = ()
    # A sentence for each zip that could not be opened, or on the folder that is not there.
    problems: tuple[Remark | str, ...] = ()

    @property
    def challenge(self) -> Path | None:
        """The file that was handed in for the challenge, if there is one."""
        for folder in () if self.shut else dict.fromkeys([self.folder, *self.folders]):
            with suppress(KeyholeError):  # of a folder that cannot be read; that is said elsewhere
                if path := file_called(folder, CHALLENGE_FILE):
                    return path
        return None

    def zip_of(self, path: Path) -> str | None:
        """The name of the zip that a file or a folder was taken out of."""
        names = (name for folder, name in self.opened.items() if path.is_relative_to(folder))
        return next(names, None)

    def folder_of(self, notebook: Path | None) -> Path:
        """The folder of the files beside a notebook: its own, else another one that has some."""
        first = [notebook.parent] if notebook else []
        folders = dict.fromkeys([*first, self.folder, *self.folders])
        with_files = (folder for folder in folders if not self.shut and files_beside(folder))
        return next(with_files, next(iter(folders)))


@dataclass
class _Found:
    """What a folder holds; where it is looked through, what it holds below, nearest first."""

    files: list[Path] = field(default_factory=list)  # the ordinary ones
    folders: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    unread: dict[Path, OSError] = field(default_factory=dict)


def students_in(submitted: Path) -> list[str]:
    """Everyone who has a folder, or a zip or a link in its place, in order.

    Raises KeyholeError where the folder of them all cannot be read.
    """
    students = set()
    try:
        with os.scandir(submitted) as entries:
            for entry in entries:
                name = Path(entry.name)
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                if _is_folder(entry):
                    students.add(entry.name)
                elif name.suffix.lower() == ".zip":
                    students.add(name.stem)
                elif entry.is_symlink() and not os.path.isfile(entry.path):
                    students.add(entry.name)
    except OSError as error:
        raise KeyholeError(f"{submitted} cannot be read: {_why(error)}") from None
    return sorted(students)


def misplaced(folder: Path) -> str | None:
    """What the staff should know of a student who may have handed in other assignments only.

    That is a student who has neither the assignment's `folder` nor files in its place, but at most
    folders of other names. None for everybody else.
    """
    student = folder.parent
    if _shut(folder) or os.path.lexists(folder) or _is_file(_zip_for(student)):
        return None
    found = _below(student) if student.is_dir() else _Found()
    # What cannot be read may hold the assignment: that stands in the gradebook.
    if found.unread or any(path.parent == student for path in (*found.files, *found.links)):
        return None
    folders = [path for path in found.folders if path.parent == student]
    names = ", ".join(name_shown(each.name) for each in folders[:MOST_ZIPS])
    return f"there is no {folder.name}, only {names or 'an empty folder'}"


def files_beside(folder: Path) -> dict[str, Path]:
    """The files of a folder that go with a notebook, by the names that they should have.

    None in a folder that cannot be read: whoever found it has said so.
    """
    with suppress(KeyholeError):
        return {name: path for name in BESIDE if (path := file_called(folder, name))}
    return {}


def time_of(folder: Path) -> str | None:
    """The time of what was handed in, as far as the `folder` for it tells; nothing else is read."""
    return None if _shut(folder) else time_in(folder)


def unread(place: str, error: OSError) -> Remark:
    """The sentence on something that cannot be read, which is for the staff to mend."""
    return sentence("unread", place=one_line(place, 120), why=_why(error))


def unread_file(path: Path) -> Remark | None:
    """The sentence on an ordinary file that cannot be opened; None for any other."""
    try:
        os.close(os.open(path, READING))
    except OSError as error:
        # A link is refused where it is read; to it, this is another error.
        return None if error.errno == errno.ELOOP else unread(path.name, error)
    return None


@contextmanager
def open_folder(folder: Path, names: Collection[str]) -> Iterator[HandedIn]:
    """What a student handed in for an assignment; files of these `names` belong into `folder`.

    Without such a folder, the grader looks into the student's own. It opens zips only where one of
    these files is not in its place. They stay unpacked inside the `with`.
    """
    if shut := _shut(folder):
        yield shut
        return
    student, there = folder.parent, folder.is_dir()
    found = _below(folder) if there else _below(student) if student.is_dir() else _Found()
    if not there and _is_file(_zip_for(student)):
        found.files.append(_zip_for(student))
    if not there and not (found.files or found.folders or found.links or found.unread):
        absent = sentence("folder_absent", folder=one_line(folder.name, 80))
        yield HandedIn(folder, shut=True, problems=(absent,))
        return
    above = folder if there else student.parent
    with ExitStack() as cleared:
        zips_needed = not all(os.path.lexists(folder / name) for name in names)
        yield _handed_in(folder, above, found, cleared if zips_needed else None)


def _handed_in(folder: Path, above: Path, found: _Found, cleared: ExitStack | None) -> HandedIn:
    """What was found, by names as they are seen from `above`; with `cleared`, zips are opened."""
    shown = {path: _seen_from(above, path) for path in (*found.files, *found.folders)}
    archives = [path for path in found.files if path.suffix.lower() in ARCHIVES]
    zips = [path for path in archives if path.suffix.lower() == ".zip"][:MOST_ZIPS]
    candidates = [
        Candidate(path, shown[path], path.parent.name == CHECKPOINTS) for path in found.files
    ]
    closed = [shown[path] for path in archives if path not in zips]
    opened, problems = {}, []
    for path in zips if cleared else ():
        try:
            inside = cleared.enter_context(unpacked(path, _may_be_needed))
        except KeyholeError as problem:
            problems.append(str(problem))
            continue
        opened[inside.folder] = path.name
        candidates += [Candidate(file, f"{shown[path]}/{at}") for file, at in inside.files]
        closed += [f"{shown[path]}/{at}" for at in inside.archives]
    others = tuple(file.shown for file in candidates if not _may_be_notebook(file.path.name))
    beside = (file.path.parent for file in candidates if _goes_with_one(file.path.name))
    return HandedIn(
        folder,
        notebooks=tuple(file for file in candidates if _may_be_notebook(file.path.name)),
        others=others or tuple(f"{shown[path]}/" for path in found.folders),
        closed=tuple(closed),
        links=tuple(_seen_from(above, path) for path in found.links),
        folders=tuple(dict.fromkeys(beside)),
        opened=opened,
        unread=tuple(
            unread(f"{_seen_from(above, path)}/", error) for path, error in found.unread.items()
        ),
        problems=tuple(problems),
    )


def _seen_from(above: Path, path: Path) -> str:
    """How a sentence calls a file or a folder."""
    return path.name if path == above else str(path.relative_to(above))


def _shut(folder: Path) -> HandedIn | None:
    """What is said of a folder that a link leads to, or that may not be entered.

    None for any other: what is in it may be looked at.
    """
    for path in (folder.parent, folder):
        try:
            is_link = stat.S_ISLNK(path.lstat().st_mode)
        except ABSENT:
            path = _zip_for(folder.parent)
            is_link = path.is_symlink() and not os.path.lexists(folder.parent)
        except OSError as error:
            reason = unread(f"{folder.parent.name}/", error)
            return HandedIn(folder, shut=True, unread=(reason,))
        if is_link:
            linked = sentence("place_linked", place=one_line(path.name, 80))
            return HandedIn(folder, shut=True, problems=(linked,))
    return None


def state_of(folder: Path) -> tuple:
    """What differs when anything has changed in the folders that `open_folder` looks into."""
    return tuple(
        each if isinstance(each, tuple) else _status(each) for each in _looked_into(folder)
    )


def digest_of(folder: Path) -> str:
    """A hash of what was handed in, as far as `open_folder` looks into it.

    It says the same of a copy of the folder in another place. Files that no grading reads count
    with their name and size; of a file above HASHED_MB the time counts, not the content.
    """
    seen = hashlib.sha256()
    for each in _looked_into(folder):
        if isinstance(each, tuple):
            place, what = each[0], each[1:]
        else:
            place, what = each, _kind_and_content(each)
        at = os.path.relpath(place, folder.parent.parent)
        seen.update(repr((at, *what)).encode(errors="surrogateescape"))
    return seen.hexdigest()


def _kind_and_content(path: Path) -> tuple:
    """What a file is, and a hash of its content if grading may read that."""
    try:
        of = path.lstat()
        if not stat.S_ISREG(of.st_mode):
            return (stat.S_IFMT(of.st_mode),)
        if not _may_be_needed(PurePosixPath(path.name)):
            return stat.S_IFREG, of.st_size
        if of.st_size > HASHED_MB * 2**20:
            return stat.S_IFREG, of.st_size, of.st_mtime_ns
        with open(os.open(path, READING), "rb") as file:
            return stat.S_IFREG, of.st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return (error.errno,)


def _looked_into(folder: Path) -> Iterator[Path | tuple[Path, int | None]]:
    """Every path that `open_folder` may look at; of a folder that cannot be read, the error too."""
    student = folder.parent
    yield from (student, folder, _zip_for(student))
    if _shut(folder):
        return
    for place in dict.fromkeys(
        [student, folder, *_below(student).folders, *_below(folder).folders]
    ):
        yield place
        try:
            with os.scandir(place) as there:
                names = sorted(entry.name for entry in islice(there, MOST_ENTRIES))
        except OSError as error:
            yield place, error.errno
            continue
        yield from (place / name for name in names)


def _status(path: Path) -> tuple:
    try:
        of = path.lstat()
    except OSError as error:
        return path, error.errno
    return path, of.st_mode, of.st_ino, of.st_size, of.st_mtime_ns, of.st_ctime_ns


def _may_be_notebook(name: str) -> bool:
    return ".ipynb" in name.lower() and not name.startswith("~")


def _goes_with_one(name: str) -> bool:
    return any(is_called(name, wanted) for wanted in (*BESIDE, CHALLENGE_FILE))


def _may_be_needed(path: PurePosixPath) -> bool:
    """Is a file in a zip one to take out, or to tell the student about?"""
    return (
        ".ipynb" in path.name.lower()
        or path.suffix.lower() in {".py", *ARCHIVES}
        or path.name == TIMESTAMP
        or _goes_with_one(path.name)
    )


def _zip_for(student: Path) -> Path:
    """Where a zip is that stands in place of a student's folder."""
    return student.with_name(f"{student.name}.zip")


def _below(folder: Path) -> _Found:
    """What is in a folder and below it. A folder that cannot be read hides none of the others."""
    found, folders = _Found(), [folder]
    for each in folders:  # which grows
        try:
            here = _entries(each)
        except OSError as error:
            found.unread[each] = error
            continue
        found.files += here.files
        found.links += here.links
        if len(each.relative_to(folder).parts) < DEPTH:
            folders += here.folders[: MOST_FOLDERS - len(folders)]
    found.folders = folders[1:]
    return found


def _entries(folder: Path) -> _Found:
    """What a folder holds, in order. Raises OSError where it cannot be read.

    Hidden files and folders are left out, but for Jupyter's checkpoints, and for what iCloud leaves
    of a file that it took away.
    """
    found = _Found()
    with os.scandir(folder) as entries:
        for entry in islice(entries, MOST_ENTRIES):
            path = Path(entry.path)
            hidden = entry.name.startswith(".") and path.suffix != ".icloud"
            if entry.is_symlink():
                found.links += [] if hidden else [path]
            elif entry.is_file(follow_symlinks=False) and not hidden:
                found.files.append(path)
            elif _is_folder(entry) and (
                entry.name == CHECKPOINTS or not entry.name.startswith((".", "__"))
            ):
                found.folders.append(path)
    for each in (found.files, found.folders, found.links):
        each.sort()
    return found


def _is_folder(entry: os.DirEntry) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _is_file(path: Path) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _why(error: OSError) -> str:
    return one_line(error.strerror or error, 100)
