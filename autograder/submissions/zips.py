"""Zips that students handed in, unpacked in bounded time, memory and disk space.

What is taken out are plain files in a folder of ours, whatever paths the zip gives them.
"""

import errno
import io
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autograder.messages import sentence
from keyhole.errors import KeyholeError
from keyhole.notebooks.file import MOST_ENTRIES
from keyhole.text import one_line

log = logging.getLogger(__name__)

# The grader opens a zip; it only names the others to the student.
ARCHIVES = {".zip", ".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"}
MOST_FILES = 50  # that are taken out of one zip
ZIP_MB = 256  # that they may unpack to
DIRECTORY_MB = 1  # of a zip's list of contents
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
# The other methods may ask for gigabytes before the first byte.
SAFE_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
UTF_8_NAME = 0x800  # a flag of an entry
ENCRYPTED = 1  # another
READING = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_BINARY", "O_NONBLOCK")
)


@dataclass(frozen=True)
class Unpacked:
    """The files taken out of a zip, and the archives inside it, which stay closed."""

    folder: Path
    files: list[tuple[Path, PurePosixPath]]  # each with its path in the zip
    archives: list[PurePosixPath]


class _Bounded(io.FileIO):
    """A file that refuses to be read in pieces above `most` bytes.

    So a zip's list of contents is of bounded size: zipfile would make an object of every entry.
    """

    most = DIRECTORY_MB * 2**20

    def read(self, size: int = -1) -> bytes:
        data = super().read(min(size, self.most + 1) if size >= 0 else self.most + 1)
        if len(data) > self.most:
            raise zipfile.BadZipFile
        return data


@contextmanager
def unpacked(path: Path, is_needed: Callable[[PurePosixPath], bool]) -> Iterator[Unpacked]:
    """The needed files of a zip, in a temporary folder that is there inside the `with`.

    Raises KeyholeError with one sentence for the student.
    """
    name, target = one_line(path.name, 80), None
    with ExitStack() as cleared:
        try:
            temporary = tempfile.TemporaryDirectory(
                prefix="keyhole-zip-", ignore_cleanup_errors=True
            )
            target = Path(cleared.enter_context(temporary))
            found = _taken_out(path, target, name, is_needed)
        except KeyholeError:
            raise
        except Exception as error:  # zipfile raises whatever a damaged zip makes it stumble over
            if isinstance(error, OSError) and (target is None or error.errno in DISK_FULL):
                log.error("%s: no room to unpack it; TMPDIR may name a folder: %s", path, error)
                raise KeyholeError(sentence("no_room", zip=name)) from None
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                why = one_line(error.strerror, 100)
                raise KeyholeError(sentence("unread", place=name, why=why)) from None
            raise KeyholeError(sentence("zip_damaged", zip=name)) from None
        yield found


def _taken_out(path: Path, target: Path, name: str, is_needed) -> Unpacked:
    with _Bounded(os.open(path, READING)) as file, zipfile.ZipFile(file) as archive:
        entries = [
            (inside, entry)
            for entry in archive.infolist()[:MOST_ENTRIES]
            if (inside := _path_in(entry)) is not None and is_needed(inside)
        ]
        archives = [inside for inside, _ in entries if inside.suffix.lower() in ARCHIVES]
        wanted = [(inside, entry) for inside, entry in entries if inside not in archives]
        return Unpacked(target, _unpack(archive, wanted[:MOST_FILES], target, name), archives)


def _unpack(
    archive: zipfile.ZipFile,
    wanted: list[tuple[PurePosixPath, zipfile.ZipInfo]],
    target: Path,
    name: str,
) -> list[tuple[Path, PurePosixPath]]:
    if any(entry.flag_bits & ENCRYPTED for _, entry in wanted):
        raise KeyholeError(sentence("zip_locked", zip=name))
    left, copies = ZIP_MB * 2**20, []
    folders = sorted({inside.parent for inside, _ in wanted}, key=lambda f: (len(f.parts), str(f)))
    for inside, entry in wanted:
        if entry.compress_type not in SAFE_METHODS:
            raise KeyholeError(sentence("zip_damaged", zip=name))
        # The zip's own folders are numbered, so that no name in it can lead anywhere.
        number = folders.index(inside.parent)
        copy = target / (str(number) if number else "") / _safe(inside.name)
        copy.parent.mkdir(exist_ok=True)
        with archive.open(entry) as source, open(copy, "wb") as sink:
            while piece := source.read(2**20):
                left -= len(piece)
                if left < 0:
                    raise KeyholeError(sentence("zip_too_large", zip=name, limit=ZIP_MB))
                sink.write(piece)
        copies.append((copy, inside))
    return copies


def _path_in(entry: zipfile.ZipInfo) -> PurePosixPath | None:
    """The path of an entry, as the zip has it; None for folders, links and hidden files."""
    text = entry.filename
    if not entry.flag_bits & UTF_8_NAME:  # zipfile took the bytes for those of an old PC
        for encoding in ("utf-8", "cp950"):
            try:
                text = entry.filename.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    path = PurePosixPath(text.replace("\\", "/"))
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    link = (entry.external_attr >> 16) & 0o170000 == 0o120000
    return None if hidden or link or entry.is_dir() else path


def _safe(name: str) -> str:
    """A name that any file system takes, with the end that it has."""
    kept = one_line(name, 200)
    return kept if len(kept.encode("utf-8", "replace")) <= 200 else f"{kept[:30]}….ipynb"
