"""Files that are whole or not there, and what a safetensors file says about itself."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LENGTH = 8  # bytes at the beginning of a safetensors file, which hold the length of its header
HEADER_BYTES = 1 << 24  # the longest header that is read; a model of a thousand tensors has 100 KB


@dataclass(frozen=True)
class Header:
    """The header of a safetensors file."""

    tensors: dict[str, dict]  # name -> its "dtype", "shape" and "data_offsets" (first byte, end)
    start: int  # where the data begin, in bytes; offsets count from there
    file_bytes: int  # the size of the whole file, by its header


def write_atomically(path: Path, content: bytes, mode: int = 0o666) -> None:
    """
    Write the whole file or nothing. A reader never meets half of it; a crash keeps the old one.

    mode: who may read and write it, less what the user's umask takes away. Makes the folder if
    there is none. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(
            draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode
        )
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def header_of(file: BinaryIO, longest: int = HEADER_BYTES) -> Header:
    """
    Read the header of a safetensors file that stands at its beginning.

    longest: bytes of header that are read at most. Raises ValueError for any other kind of file.
    """
    length = int.from_bytes(file.read(LENGTH), "little")
    text = file.read(min(length, longest))
    if not 0 < length == len(text):
        raise ValueError("no safetensors header")
    try:
        tensors = json.loads(text)
        tensors.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in tensors.values()]
        return Header(tensors, LENGTH + length, LENGTH + length + max(ends, default=0))
    except (AttributeError, LookupError, TypeError, RecursionError) as error:
        raise ValueError("no safetensors header") from error
