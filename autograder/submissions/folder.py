"""What lies in a student's folder, also some levels down and in a zip: where the notebooks may be, before any of them is read.

Nothing here follows a link, and a zip is unpacked in bounded time, memory and disk space into a folder of ours: plain files of the names that are
looked for, whatever paths the zip gives them.
"""

import errno
import io
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath

from autograder.messages import sentence
from keyhole.checking.selfcheck import FILES as BESIDE
from keyhole.errors import KeyholeError
from keyhole.notebooks.file import MOST_ENTRIES, file_called, is_called, read_file
from keyhole.text import one_line

log = logging.getLogger(__name__)

CHECKPOINTS = ".ipynb_checkpoints"
TIMESTAMP, UNREAD_TIME = (
    "timestamp.txt",
    "timestamp.unreadable.txt",
)  # which nbgrader reads; one that it would stop at
ARCHIVES = {
    ".zip",
    ".rar",
    ".7z",
    ".tar",
    ".gz",
    ".tgz",
    ".bz2",
    ".xz",
}  # of which a zip is opened, the others are named
DEPTH, MOST_FOLDERS = 3, 300  # how far down is looked, and into how many folders
MOST_ZIPS, MOST_FILES = 3, 50  # that are unpacked, and files from each
ZIP_MB = 256  # that the files of one zip may unpack to
DIRECTORY_MB = 1  # of a zip's list of contents
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
SAFE_METHODS = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # the others may ask for gigabytes before the first byte


@dataclass(frozen=True)
class Found:
    """A file that may be a notebook, and how a sentence calls it. The files of a folder come before those a level down, and those in zips are last."""

    path: Path
    shown: str
    checkpoint: bool = False


@dataclass(frozen=True)
class HandedIn:
    """One student's submission: `folder`, where the notebooks should be; all files that may be one; sentences on zips."""

    folder: Path
    notebooks: tuple[Found, ...] = ()
    others: tuple[str, ...] = ()  # the other files, or folders where there is no file at all
    closed: tuple[str, ...] = ()  # archives that are not opened
    folders: tuple[Path, ...] = ()  # in which there are files that go with a notebook
    opened: Mapping[Path, str] = field(
        default_factory=dict
    )  # folders in which zips were unpacked, and the names of these
    problems: tuple[
        str, ...
    ] = ()  # a sentence for each zip that could not be, or on the folder that is not there

    def zip_of(self, path: Path) -> str | None:
        """The name of the zip that a file or a folder was taken out of."""
        return next(
            (name for folder, name in self.opened.items() if path.is_relative_to(folder)), None
        )

    def folder_of(self, notebook: Path | None) -> Path:
        """Where the files beside a notebook are: with it, else in another folder of the submission that has some."""
        folders = dict.fromkeys(
            [*([notebook.parent] if notebook else []), self.folder, *self.folders]
        )
        return next(
            (folder for folder in folders if any(file_called(folder, name) for name in BESIDE)),
            next(iter(folders)),
        )


def students_in(submitted: Path) -> list[str]:
    """Everyone who has a folder, or a zip in its place, in order."""
    entries = [
        entry for entry in submitted.iterdir() if not entry.name.startswith((".", "__MACOSX"))
    ]
    return sorted(
        {
            entry.name if entry.is_dir() else entry.stem
            for entry in entries
            if entry.is_dir() or entry.suffix.lower() == ".zip"
        }
    )


def misplaced(folder: Path) -> str | None:
    """What the staff should know of a student who has neither the assignment's `folder` nor files in the place of it, but at most folders of other
    names: these may be of other assignments."""
    files, folders = _files(folder.parent)
    if os.path.lexists(folder) or files or _ordinary(_zip_for(folder.parent)):
        return None
    return (
        f"there is no {folder.name}, only"
        f" {', '.join(one_line(each.name, 40) for each in folders[:MOST_ZIPS]) or 'an empty folder'}"
    )


@contextmanager
def handed_in(folder: Path, names: Collection[str]) -> Iterator[HandedIn]:
    """What a student handed in for an assignment, whose files of these `names` belong into `folder`: what is in it, or, where there is no such
    folder, in the student's. Zips stay unpacked inside the `with`; they are opened only where one of these files is not where it belongs.
    """
    student, there = folder.parent, folder.is_dir()
    files, folders = _below(folder if there else student)
    if not there and _ordinary(_zip_for(student)):
        files.append(_zip_for(student))
    if folder.is_symlink() or not there and (student.is_symlink() or not files and not folders):
        yield HandedIn(
            folder, problems=(sentence("folder_absent", folder=one_line(folder.name, 80)),)
        )
        return
    shown = {
        path: str(path.relative_to(folder if there else student.parent))
        for path in (*files, *folders)
    }
    zips = [path for path in files if path.suffix.lower() == ".zip"]
    with ExitStack() as unpacked:
        found = [Found(path, shown[path], path.parent.name == CHECKPOINTS) for path in files]
        closed = [
            shown[path]
            for path in files
            if path.suffix.lower() in ARCHIVES and path not in zips[:MOST_ZIPS]
        ]
        opened, problems = {}, []
        if not all(os.path.lexists(folder / name) for name in names):
            for path in zips[:MOST_ZIPS]:
                try:
                    target, inside, archives = unpacked.enter_context(_unpacked(path))
                except KeyholeError as problem:
                    problems.append(str(problem))
                    continue
                opened[target] = path.name
                found += [Found(file, f"{shown[path]}/{at}") for file, at in inside]
                closed += [f"{shown[path]}/{at}" for at in archives]
        notebooks = [file for file in found if _may_be(file.path)]
        others = [file.shown for file in found if not _may_be(file.path)] or [
            f"{shown[path]}/" for path in folders
        ]
        beside = dict.fromkeys(file.path.parent for file in found if _goes_with_one(file.path.name))
        yield HandedIn(
            folder,
            tuple(notebooks),
            tuple(others),
            tuple(closed),
            tuple(beside),
            opened,
            tuple(problems),
        )


def _may_be(path: Path) -> bool:
    return ".ipynb" in path.name.lower() and not path.name.startswith("~")


def _goes_with_one(name: str) -> bool:
    return any(is_called(name, wanted) for wanted in BESIDE)


def time_in(folder: Path) -> str | None:
    """The time in the timestamp.txt of a folder, without any byte-order mark; None where there is none that nbgrader can read."""
    from nbgrader.utils import parse_utc  # late: it takes a while

    try:
        raw = read_file(folder / TIMESTAMP, 0.001, follow_links=False)
        time = raw.decode(json.detect_encoding(raw)).strip()
        parse_utc(time)
    except Exception:  # it raises whatever the text makes it stumble over
        return None
    return time


def time_lost(folder: Path) -> bool:
    """Does a folder have a timestamp.txt that holds no time, also where it was put aside?"""
    return (
        time_in(folder) is None
        if os.path.lexists(folder / TIMESTAMP)
        else os.path.lexists(folder / UNREAD_TIME)
    )


def mend_time(folder: Path) -> None:
    """nbgrader stops at a timestamp.txt that it cannot read: one that holds no time is put aside, another is written as nbgrader reads it."""
    path = folder / TIMESTAMP
    if not os.path.lexists(path) or folder.is_symlink():
        return
    try:
        if not (time := time_in(folder)):
            path.replace(folder / UNREAD_TIME)
        elif path.read_bytes().strip() != time.encode():
            path.write_text(time, encoding="utf-8")
    except OSError as error:
        log.warning("%s: %s", path, error)


def _zip_for(student: Path) -> Path:
    """Where a zip is in place of a student's folder."""
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
    """The ordinary files of a folder and its folders, in order; links are neither, and what is hidden is left out but for Jupyter's checkpoints."""
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


class _Bounded(io.FileIO):
    """A zip whose list of contents is read only if it is of bounded size: zipfile itself would make an object of every entry of it."""

    most = DIRECTORY_MB * 2**20

    def read(self, size=-1):
        data = super().read(min(size, self.most + 1) if size >= 0 else self.most + 1)
        if len(data) > self.most:
            raise zipfile.BadZipFile
        return data


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[Path, list, list]]:
    """The notebooks of a zip and the files beside them, in a folder for the time of the `with`: it, (file, path in the zip) of each, and the
    paths of archives in the zip, which stay closed. Raises KeyholeError with one sentence."""
    name, target = one_line(path.name, 80), None
    with ExitStack() as cleared:
        try:
            target = Path(
                cleared.enter_context(
                    tempfile.TemporaryDirectory(prefix="keyhole-zip-", ignore_cleanup_errors=True)
                )
            )
            handle = os.open(
                path,
                os.O_RDONLY
                | getattr(os, "O_NOFOLLOW", 0)
                | getattr(os, "O_BINARY", 0)
                | getattr(os, "O_NONBLOCK", 0),
            )
            with _Bounded(handle) as file, zipfile.ZipFile(file) as archive:
                entries = [
                    (path, entry)
                    for entry in archive.infolist()[:MOST_ENTRIES]
                    if (path := _path_in(entry)) is not None
                ]
                archives = [path for path, _ in entries if path.suffix.lower() in ARCHIVES]
                found = _unpack(
                    archive,
                    [(path, entry) for path, entry in entries if path not in archives][:MOST_FILES],
                    target,
                    name,
                )
        except KeyholeError:
            raise
        except Exception as error:  # zipfile raises whatever a damaged zip makes it stumble over
            if isinstance(error, OSError) and (target is None or error.errno in DISK_FULL):
                log.error(
                    "%s was not unpacked: there is no room for temporary files; TMPDIR may name"
                    " another folder. %s",
                    path,
                    error,
                )
                raise KeyholeError(sentence("no_room", zip=name)) from None
            raise KeyholeError(sentence("zip_damaged", zip=name)) from None
        yield target, found, archives


def _unpack(
    archive: zipfile.ZipFile, wanted: list, target: Path, name: str
) -> list[tuple[Path, PurePosixPath]]:
    if any(entry.flag_bits & 1 for _, entry in wanted):
        raise KeyholeError(sentence("zip_locked", zip=name))
    left, found = ZIP_MB * 2**20, []
    folders = sorted(
        {path.parent for path, _ in wanted}, key=lambda folder: (len(folder.parts), str(folder))
    )
    for path, entry in wanted:
        if entry.compress_type not in SAFE_METHODS:
            raise KeyholeError(sentence("zip_damaged", zip=name))
        at = folders.index(
            path.parent
        )  # the zip's own folders are numbered: no name of its can lead anywhere
        copy = target / (str(at) if at else "") / _safe(path.name)
        copy.parent.mkdir(exist_ok=True)
        with archive.open(entry) as source, open(copy, "wb") as sink:
            while piece := source.read(2**20):
                left -= len(piece)
                if left < 0:
                    raise KeyholeError(sentence("zip_too_large", zip=name, limit=ZIP_MB))
                sink.write(piece)
        found.append((copy, path))
    return found


def _path_in(entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """The path of an entry that may be needed, as the zip has it; else None."""
    text = entry.filename
    if (
        not entry.flag_bits & 0x800
    ):  # not marked as UTF-8: zipfile took the bytes for those of an old PC
        for encoding in ("utf-8", "cp950"):
            try:
                text = entry.filename.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    path = PurePosixPath(text.replace("\\", "/"))
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    wanted = (
        ".ipynb" in path.name.lower()
        or path.suffix.lower() in {".py", *ARCHIVES}
        or path.name == TIMESTAMP
        or _goes_with_one(path.name)
    )
    return path if wanted and not hidden and not link and not entry.is_dir() else None


def _safe(name: str) -> str:
    """A name that any file system takes, with the end that it has."""
    kept = one_line(name, 200)
    return kept if len(kept.encode("utf-8", "replace")) <= 200 else f"{kept[:30]}….ipynb"
