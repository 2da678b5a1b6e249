"""A prepared model: a folder of safetensors and tokenizer, made from a quantised checkpoint.

A finished folder is recognised in milliseconds: by the sizes of its files and the beginnings of
its tensors.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tqdm import tqdm

from keyhole.errors import KeyholeError
from keyhole.files import header_of
from keyhole.messages import problem, shown

WEIGHTS = "model.safetensors"
BEGINNING = 1 << 12  # bytes of each tensor that go into the fingerprint


def is_whole(folder: Path, weights: str) -> bool:
    """Whether `folder` holds a whole model with the fingerprint `weights`."""
    return missing_from(folder) is None and weights_fingerprint(folder) == weights


def missing_from(folder: Path) -> str | None:
    """The name of a file that is missing or incomplete, or None. Reads only the weights' header."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            return name
    weights = folder / WEIGHTS
    try:
        with weights.open("rb") as file:
            promised = header_of(file).file_bytes
        return None if weights.stat().st_size == promised else WEIGHTS
    except (OSError, ValueError):
        return WEIGHTS


def weights_fingerprint(folder: Path) -> str:
    """
    A hash of every tensor's name, type, shape and beginning: 64 hexadecimal digits.

    Reading only the beginnings makes it fast. Training changes it, and so does an edit of any
    layer. Raises OSError or ValueError unless the folder is whole.
    """
    seen = hashlib.sha256()
    with (folder / WEIGHTS).open("rb") as file:
        header = header_of(file)
        for name, entry in sorted(header.tensors.items()):
            start, end = entry["data_offsets"]
            seen.update(f"{name} {entry['dtype']} {entry['shape']}".encode())
            file.seek(header.start + start)
            seen.update(file.read(min(end - start, BEGINNING)))
    return seen.hexdigest()


def convert(gguf: Path, folder: Path, progress: bool = True) -> None:
    """
    Write a quantised checkpoint to `folder`, as float32 safetensors with its tokenizer.

    gguf: alone in its folder, since transformers may confuse it with others. Raises KeyholeError
    when a package is missing.
    """
    try:
        with (
            tqdm(desc=shown("preparing"), unit=" tensors", disable=not progress) as bar,
            _only_bar(bar),
            _read_once(),
        ):
            # These take seconds to import, and a model that is already prepared needs neither.
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer

            options = {"gguf_file": gguf.name, "local_files_only": True}
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **options)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, dtype=torch.float32, **options
            )
            # The weights are plain floats now, but transformers refuses to save them with these.
            vars(model.config).pop("quantization_config", None)
            model.hf_quantizer = None
            tokenizer.save_pretrained(folder)
            model.save_pretrained(folder)
    except ImportError as error:
        raise KeyholeError(problem("no_package", error=error)) from error
    # safetensors makes its file private, which would shut out the others who share a cache.
    (folder / WEIGHTS).chmod((folder / "config.json").stat().st_mode)


@contextmanager
def _read_once() -> Iterator[None]:
    """Have gguf read a file once, and make its table of names once.

    transformers asks for the one three times and for the other at each module of the model, which
    would take half the time.
    """
    import gguf  # as in `convert`

    made = {name: getattr(gguf, name) for name in ("GGUFReader", "get_tensor_name_map")}
    for name, function in made.items():
        setattr(gguf, name, cache(function))
    try:
        yield
    finally:
        for name, function in made.items():
            setattr(gguf, name, function)


@contextmanager
def _only_bar(bar: tqdm) -> Iterator[None]:
    """Show on `bar` how transformers reads a GGUF file, and hide its own bars."""
    # As in `convert`: seconds to import.
    from transformers import modeling_gguf_pytorch_utils as reader
    from transformers.utils import logging

    def counted(items: list, **_) -> Iterable:
        bar.reset(len(items))
        for item in items:
            yield item
            bar.update()

    old_bar, were_enabled = reader.tqdm, logging.is_progress_bar_enabled()
    reader.tqdm = counted
    logging.disable_progress_bar()
    try:
        yield
    finally:
        reader.tqdm = old_bar
        if were_enabled:
            logging.enable_progress_bar()
