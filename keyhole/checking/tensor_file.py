"""A safetensors file that a student hands in: read without trusting it.

Its size is bounded before anything is read, no link is followed, and nothing in it is ever run.
"""

import io
import math
from pathlib import Path

import torch

from keyhole.errors import KeyholeError
from keyhole.files import header_of
from keyhole.messages import feedback
from keyhole.notebooks.file import UNREADABLE, read_file

HEADER_BYTES = 10_000  # an honest file of ours has some hundreds


def read_tensors(path: str | Path, name: str, limit_mb: float) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file of at most `limit_mb`, by name.

    `name` is what sentences call the file. Raises KeyholeError with one sentence on what is wrong.
    """
    from safetensors import SafetensorError  # late, as the next: few calls come here
    from safetensors.torch import load

    raw = read_file(path, limit_mb, follow_links=False, sentence="own_too_large")
    _look_at_header(raw, name)
    try:
        return load(raw)
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError):
        raise KeyholeError(feedback("own_damaged", file=name)) from None


def _look_at_header(raw, name):
    """Raise KeyholeError unless `raw` is as long as its safetensors header says."""
    try:
        promised = header_of(io.BytesIO(raw), HEADER_BYTES).file_bytes
    except UNREADABLE:
        promised = math.inf
    if not promised < 2**60:
        # Only now: the length of an honest header may begin with such a byte.
        if raw[:2] == b"PK" or raw[:1] == b"\x80":
            raise KeyholeError(feedback("own_pickle", file=name))
        raise KeyholeError(feedback("own_damaged", file=name))
    if promised != len(raw):
        raise KeyholeError(
            feedback("own_promised", file=name, promised=f"{promised:,}", got=f"{len(raw):,}")
        )
