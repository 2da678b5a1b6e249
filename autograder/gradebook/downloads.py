"""What a course system lets one download: its zip of submissions, file by file, by whom."""

import re
import stat
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import yaml

from keyhole.errors import Unusable

FILE_MB = 256  # of one file
RESUBMITTED = re.compile(r"-\d+(?=\.[^.]+$)")  # what Canvas puts before the ending of a second file
MOODLE = re.compile(
    r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_file(?:_?/|_)(?P<file>.+)", re.DOTALL
)
METADATA = "submission_metadata.yml"


@dataclass(frozen=True)
class Handed:
    """One file of a download.

    `ids` and `name` are those of its student. `place` is what a feedback zip needs to find the
    submission again. `time` is as the system writes it, None where it does not say.
    """

    ids: tuple[str, ...]
    name: str
    file: PurePosixPath
    place: str
    entry: "Entry" = field(repr=False)
    late: bool = False
    time: str | None = None


@dataclass(frozen=True)
class Entry:
    """A file in a zip or in a folder."""

    path: PurePosixPath
    size: int
    changed: str  # its time in the zip
    opened: object = field(repr=False)  # gives a file to read from

    def copy_to(self, target: Path) -> None:
        """Write the file. Raises OSError, or what zipfile raises."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self.opened() as source, open(target, "wb") as sink:
            _copy(source, sink)


def _copy(source: BinaryIO, sink: BinaryIO) -> None:
    left = FILE_MB * 2**20
    while piece := source.read(2**20):
        left -= len(piece)
        if left < 0:
            raise OSError(None, f"it is larger than {FILE_MB} MB")
        sink.write(piece)


@contextmanager
def entries_of(download: Path) -> Iterator[list[Entry]]:
    """The files of a zip, or of the folder into which it was unpacked. Raises Unusable."""
    if download.is_dir():
        yield [
            Entry(
                PurePosixPath(path.relative_to(download).as_posix()),
                path.stat().st_size,
                "",
                lambda path=path: open(path, "rb"),
            )
            for path in sorted(download.rglob("*"))
            if path.is_file() and not path.is_symlink()
        ]
        return
    try:
        archive = zipfile.ZipFile(download)
    except OSError as error:
        raise Unusable(f"{download} cannot be read: {error.strerror}") from None
    except zipfile.BadZipFile:
        raise Unusable(f"{download} is neither a folder nor a zip") from None
    with archive:
        yield [
            Entry(
                PurePosixPath(info.filename.replace("\\", "/")),
                info.file_size,
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}".format(*info.date_time),
                lambda info=info: archive.open(info),
            )
            for info in archive.infolist()
            if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16)
        ]


def safe(path: PurePosixPath) -> bool:
    """Does the path stay below where it is put, and is it no hidden file?"""
    return not path.is_absolute() and not any(
        part.startswith((".", "__MACOSX")) or ":" in part for part in path.parts
    )


def canvas(entries: Iterable[Entry]) -> Iterator[Handed | Entry]:
    """`<name>[_LATE]_<user id>_<attachment id>_<file>`; what has another form comes as it is.

    As Canvas reads names: the first two parts that are numbers are the ids.
    """
    for entry in entries:
        parts = entry.path.name.split("_")
        late = parts[1:2] == ["LATE"]
        numbers = [i for i, part in enumerate(parts[:-1]) if i and part.isdigit()][:2]
        if len(numbers) < 2 or numbers[1] != numbers[0] + 1:
            yield entry
            continue
        file = PurePosixPath("_".join(parts[numbers[1] + 1 :]))
        place = "_".join(parts[: numbers[1] + 1])
        yield Handed((parts[numbers[0]],), parts[0], file, place, entry, late)


def moodle(entries: Iterable[Entry]) -> Iterator[Handed | Entry]:
    """`<full name>_<id>_assignsubmission_file/...`, or flat; what has another form as it is."""
    for entry in entries:
        found = MOODLE.fullmatch(str(entry.path))
        if not found:
            yield entry
            continue
        place = str(entry.path)[: -len(found["file"])].rstrip("/")
        yield Handed((found["id"],), found["name"], PurePosixPath(found["file"]), place, entry)


def gradescope(entries: Iterable[Entry]) -> Iterator[Handed | Entry]:
    """`submission_<id>/...`, of the submitters that submission_metadata.yml names.

    Raises Unusable where that file is missing or cannot be read.
    """
    entries = list(entries)
    listed = next((each for each in entries if each.path.name == METADATA), None)
    if listed is None:
        raise Unusable(f"the download has no {METADATA}, so it is no export of Gradescope's")
    with listed.opened() as file:
        try:
            told = yaml.safe_load(file.read(64 * 2**20))
            people = {folder: _submitter(about) for folder, about in told.items()}
        except (yaml.YAMLError, AttributeError, LookupError, TypeError, UnicodeError):
            raise Unusable(f"{METADATA} is not as Gradescope writes it") from None
    for entry in entries:
        folder = next((part for part in entry.path.parts if part in people), None)
        if folder is None:
            if entry is not listed:
                yield entry
            continue
        ids, name, time = people[folder]
        parts = entry.path.parts[entry.path.parts.index(folder) + 1 :]
        yield Handed(ids, name, PurePosixPath(*parts), folder, entry, False, time)


def _submitter(about: dict) -> tuple[tuple[str, ...], str, str]:
    first = about[":submitters"][0]
    ids = tuple(str(first[key]) for key in (":sid", ":email") if first.get(key))
    created = about.get(":created_at")
    time = created.isoformat() if hasattr(created, "isoformat") else str(created or "")
    return ids, str(first.get(":name", "")), time


def folders(entries: Iterable[Entry]) -> Iterator[Handed | Entry]:
    """`<student>/...` or `<student>[_...].ipynb|.zip`, by id or by name; also below one folder."""
    entries = [entry for entry in entries if safe(entry.path)]
    tops = {entry.path.parts[0] for entry in entries}
    below = len(tops) == 1 and all(len(entry.path.parts) > 2 for entry in entries)
    for entry in entries:
        parts = entry.path.parts[1:] if below else entry.path.parts
        who = parts[0] if len(parts) > 1 else PurePosixPath(parts[0]).stem
        ids = (who, who.partition("_")[0])
        file = PurePosixPath(*parts[1:]) if len(parts) > 1 else PurePosixPath(parts[0])
        yield Handed(ids, who.replace("_", " "), file, who, entry)


SYSTEMS = {"canvas": canvas, "moodle": moodle, "gradescope": gradescope, "zip": folders}
