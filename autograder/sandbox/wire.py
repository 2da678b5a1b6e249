"""What crosses between the grader and a child: frames of tensors and a little text.

A frame is an 8-byte little-endian length and a safetensors blob. This module reads the blob's
header itself and does not leave it to the library, because a reply may be hostile: nothing is built
before its names, dtypes, shapes and offsets are checked.
"""

import json
import math
import re

import torch
from safetensors.torch import save

LENGTH = 8
HEADER_BYTES = 64 * 1024
TENSORS = 64
DIMENSIONS = 8
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "BOOL": torch.bool,
}
NAME = re.compile(r"[A-Za-z0-9_.]{1,64}")


class WireError(Exception):
    """A blob that breaks the rules; str() says which."""


def pack(tensors: dict, **text: str) -> bytes:
    """A frame that holds `tensors` and the strings `text`.

    Each tensor is copied, so that views and shared memory do not matter.
    """
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    blob = save(plain, metadata=text)
    return len(blob).to_bytes(LENGTH, "little") + blob


def size(prefix: bytes) -> int:
    """The length of the blob that follows a frame's first eight bytes."""
    return int.from_bytes(prefix, "little")


def rounded(megabytes: float) -> int:
    """A whole number of one significant digit: it tells little of a hidden input."""
    number = max(1, round(megabytes))
    digit = 10 ** (len(str(number)) - 1)
    return round(number / digit) * digit


def unpack(
    blob: bytes, header_bytes: int = HEADER_BYTES
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """(tensors, text) of a blob. Each tensor is fresh and plain, and owns its memory.

    `header_bytes` caps the header. The default is for replies; a request may carry a student's
    whole source. Raises WireError at the first broken rule.
    """
    length = size(blob[:LENGTH])
    _require(
        len(blob) >= LENGTH and length <= min(header_bytes, len(blob) - LENGTH),
        "the header has a wrong length",
    )
    try:
        header = json.loads(blob[LENGTH : LENGTH + length], object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise WireError("the header is not JSON") from None
    _require(isinstance(header, dict), "the header is not an object")
    text = header.pop("__metadata__", {})
    _require(
        isinstance(text, dict) and all(isinstance(value, str) for value in text.values()),
        "the text is not made of strings",
    )
    _require(len(header) <= TENSORS, f"there are more than {TENSORS} tensors")
    data = memoryview(blob)[LENGTH + length :]
    places = {name: _place(name, entry) for name, entry in header.items()}
    end = 0
    for _, _, first, last in sorted(places.values(), key=lambda place: place[2:]):
        _require(first == end, "the tensors overlap or leave gaps")
        end = last
    _require(end == len(data), "the tensors do not fill the blob")
    return {name: _tensor(*place, data) for name, place in places.items()}, text


def _place(name, entry):
    """(dtype, shape, first byte, last byte) of one header entry."""
    _require(NAME.fullmatch(name), "a tensor has an odd name")
    _require(
        isinstance(entry, dict) and entry.keys() == {"dtype", "shape", "data_offsets"},
        "a tensor is described wrongly",
    )
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    _require(
        isinstance(dtype, str) and dtype in DTYPES, "a tensor has a dtype that is not accepted"
    )
    _require(
        _counts(shape) and len(shape) <= DIMENSIONS and math.prod(max(n, 1) for n in shape) < 2**40,
        "a tensor has an impossible shape",
    )
    _require(_counts(offsets) and len(offsets) == 2, "a tensor has impossible offsets")
    _require(
        offsets[1] - offsets[0] == math.prod(shape) * DTYPES[dtype].itemsize,
        "a tensor's shape and size disagree",
    )
    return DTYPES[dtype], shape, *offsets


def _tensor(dtype, shape, first, last, data) -> torch.Tensor:
    if first == last:
        return torch.empty(shape, dtype=dtype)
    own = bytearray(data[first:last])  # a copy: aligned, writable, owned by the tensor alone
    _require(dtype != torch.bool or max(own) <= 1, "a truth value is neither 0 nor 1")
    return torch.frombuffer(own, dtype=dtype).reshape(shape)


def _unique(pairs):
    """A JSON object whose keys all differ."""
    entries = dict(pairs)
    _require(len(entries) == len(pairs), "a name occurs twice")
    return entries


def _counts(value) -> bool:
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _require(holds, rule: str) -> None:
    if not holds:
        raise WireError(rule)
