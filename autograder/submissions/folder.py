"""What lies in a student's folder, also some levels down and in zips, before anything is read.

Nothing here follows a link.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from autograder.messages import sentence
from autograder.submissions.timestamp import TIMESTAMP
from autograder.submissions.zips import ARCHIVES, unpacked
from keyhole.checking.selfcheck import FILES as BESIDE
from keyhole.errors import KeyholeError
from keyhole.messages import Remark
from keyhole.notebooks.file import MOST_ENTRIES, file_called, is_called
from keyhole.text import one_line

CHECKPOINTS = ".ipynb_checkpoints"
DEPTH, MOST_FOLDERS = 3, 300  # how far down the grader looks, and into how many folders
MOST_ZIPS = 3  # that are unpacked


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
    notebooks: tuple[Candidate, ...] = ()
    # The other files by name, or the folders where there is no file at all.
    others: tuple[str, ...] = ()
    # Archives that are not opened.
    closed: tuple[str, ...] = ()
    # Folders that hold files which go with a notebook.
    folders: tuple[Path, ...] = ()
    # Folders in which zips were unpacked -> the names of the zips.
    opened: Mapping[Path, str] = field(default_factory=dict)
    # A sentence for each zip that could not be opened, or on the folder that is not there.
    problems: tuple[Remark | str, ...] = ()

    def zip_of(self, path: Path) -> str | None:
        """The name of the zip that a file or a folder was taken out of."""
        names = (name for folder, name in self.opened.items() if path.is_relative_to(folder))
        return next(names, None)

    def folder_of(self, notebook: Path | None) -> Path:
        """The folder of the files beside a notebook: its own, else another one that has some."""
        first = [notebook.parent] if notebook else []
        folders = dict.fromkeys([*first, self.folder, *self.folders])
        with_files = (
            folder for folder in folders if any(file_called(folder, name) for name in BESIDE)
        )
        return next(with_files, next(iter(folders)))


def students_in(submitted: Path) -> list[str]:
    """Everyone who has a folder, or a zip in its place, in order."""
    students = set()
    for entry in submitted.iterdir():
        if entry.name.startswith((".", "__MACOSX")):
            continue
        if entry.is_dir():
            students.add(entry.name)
        elif entry.suffix.lower() == ".zip":
            students.add(entry.stem)
    return sorted(students)


def misplaced(folder: Path) -> str | None:
    """What the staff should know of a student who may have handed in other assignments only.

    That is a student who has neither the assignment's `folder` nor files in its place, but at most
    folders of other names. None for everybody else.
    """
    files, folders = _files(folder.parent)
    if os.path.lexists(folder) or files or _ordinary(_zip_for(folder.parent)):
        return None
    names = ", ".join(one_line(each.name, 40) for each in folders[:MOST_ZIPS])
    return f"there is no {folder.name}, only {names or 'an empty folder'}"


@contextmanager
def open_folder(folder: Path, names: Collection[str]) -> Iterator[HandedIn]:
    """What a student handed in for an assignment; files of these `names` belong into `folder`.

    Without such a folder, the grader looks into the student's own. It opens zips only where one of
    these files is not in its place. They stay unpacked inside the `with`.
    """
    student, there = folder.parent, folder.is_dir()
    files, folders = _below(folder if there else student)
    if not there and _ordinary(_zip_for(student)):
        files.append(_zip_for(student))
    nothing = not there and (student.is_symlink() or not files and not folders)
    if folder.is_symlink() or nothing:
        absent = sentence("folder_absent", folder=one_line(folder.name, 80))
        yield HandedIn(folder, problems=(absent,))
        return
    above = folder if there else student.parent
    shown = {path: str(path.relative_to(above)) for path in (*files, *folders)}
    archives = [path for path in files if path.suffix.lower() in ARCHIVES]
    zips = [path for path in archives if path.suffix.lower() == ".zip"][:MOST_ZIPS]
    candidates = [Candidate(path, shown[path], path.parent.name == CHECKPOINTS) for path in files]
    closed = [shown[path] for path in archives if path not in zips]
    opened, problems = {}, []
    with ExitStack() as cleared:
        if not all(os.path.lexists(folder / name) for name in names):
            for path in zips:
                try:
                    inside = cleared.enter_context(unpacked(path, _may_be_needed))
                except KeyholeError as problem:
                    problems.append(str(problem))
                    continue
                opened[inside.folder] = path.name
                candidates += [Candidate(file, f"{shown[path]}/{at}") for file, at in inside.files]
                closed += [f"{shown[path]}/{at}" for at in inside.archives]
        others = tuple(file.shown for file in candidates if not _may_be_notebook(file.path.name))
        yield HandedIn(
            folder,
            notebooks=tuple(file for file in candidates if _may_be_notebook(file.path.name)),
            others=others or tuple(f"{shown[path]}/" for path in folders),
            closed=tuple(closed),
            folders=tuple(
                dict.fromkeys(
                    file.path.parent for file in candidates if _goes_with_one(file.path.name)
                )
            ),
            opened=opened,
            problems=tuple(problems),
        )


def state_of(folder: Path) -> tuple:
    """What differs when anything has changed in the folders that `open_folder` looks into."""
    student = folder.parent
    places = dict.fromkeys([student, folder, *_below(student)[1], *_below(folder)[1]])
    entries = [_status(_zip_for(student).parent, _zip_for(student).name)]
    for place in places:
        try:
            with os.scandir(place) as there:
                names = sorted(entry.name for entry in islice(there, MOST_ENTRIES))
        except OSError:
            names = []
        entries += [_status(place.parent, place.name), *(_status(place, name) for name in names)]
    return tuple(entries)


def _status(folder: Path, name: str) -> tuple:
    path = folder / name
    try:
        of = path.lstat()
    except OSError:
        return (path,)
    return path, of.st_mode, of.st_ino, of.st_size, of.st_mtime_ns, of.st_ctime_ns


def _may_be_notebook(name: str) -> bool:
    return ".ipynb" in name.lower() and not name.startswith("~")


def _goes_with_one(name: str) -> bool:
    return any(is_called(name, wanted) for wanted in BESIDE)


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


def _below(folder: Path) -> tuple[list[Path], list[Path]]:
    """The ordinary files in a folder and below it, and the folders below, nearest first."""
    files, folders = [], [folder]
    for each in folders:  # which grows
        here, below = _files(each)
        files += here
        if len(each.relative_to(folder).parts) < DEPTH:
            folders += below[: MOST_FOLDERS - len(folders)]
    return files, folders[1:]


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """The ordinary files of a folder and its folders, in order.

    Links are neither. Hidden files and folders are left out, but for Jupyter's checkpoints.
    """
    files, folders = [], []
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MOST_ENTRIES):
                if entry.is_file(follow_symlinks=False) and not entry.name.startswith("."):
                    files.append(Path(entry.path))
                elif entry.is_dir(follow_symlinks=False) and (
                    entry.name == CHECKPOINTS or not entry.name.startswith((".", "__"))
                ):
                    folders.append(Path(entry.path))
    except OSError:
        return [], []
    return sorted(files), sorted(folders)


def _ordinary(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
