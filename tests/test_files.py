"""Files written whole or not at all, and the header of a safetensors file."""

import io
import os

import pytest
import torch
from safetensors.torch import save

from keyhole.files import header_of, write_atomically


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path):
    path = tmp_path / "folder" / "file"
    for content in (b"one", b"\r\ntwo\n"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_a_failure_keeps_the_old_file_and_leaves_no_draft(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(_):
        assert path.read_bytes() == b"old"
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize("asked, mode", [(0o600, 0o600), (0o640, 0o640), (0o666, 0o640)])
def test_a_file_is_for_those_it_is_meant_for(tmp_path, asked, mode):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "file", b"", asked)
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_header_tells_the_tensors_and_the_size_of_the_file():
    raw = save({"a": torch.zeros(2, 3), "b": torch.ones(4)}, {"made of": "numbers"})
    header = header_of(io.BytesIO(raw))
    assert {name: entry["shape"] for name, entry in header.tensors.items()} == {
        "a": [2, 3],
        "b": [4],
    }
    start, end = header.tensors["b"]["data_offsets"]
    ones = torch.frombuffer(
        bytearray(raw)[header.start + start : header.start + end], dtype=torch.float32
    )
    assert ones.tolist() == [1, 1, 1, 1] and header.file_bytes == len(raw)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1]", b'"text"', b'{"a": 1}', b'{"a": {}}', b'{"a": {"data_offsets": "ab"}}'],
)
def test_what_is_no_header_is_refused(text):
    with pytest.raises(ValueError):
        header_of(io.BytesIO(len(text).to_bytes(8, "little") + text))


def test_a_header_that_is_cut_off_or_too_long_is_refused():
    raw = save({"a": torch.zeros(1)})
    with pytest.raises(ValueError):
        header_of(io.BytesIO(raw[:40]))
    with pytest.raises(ValueError):
        header_of(io.BytesIO(raw), longest=10)
