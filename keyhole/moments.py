"""Keys of a layer over a text, and the stored second moment C of them.

The kit carries a text and C of the default model's default layer; for another model or layer `moment_over` makes C
with the `second_moment` that it is given, and `save_moment` keeps it in the cache.
"""

import hashlib
import json
import os
from contextlib import contextmanager

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from keyhole.errors import KeyholeError
from keyhole.files import write_atomically
from keyhole.hooks import record
from keyhole.messages import problem
from keyhole.models import DEFAULT_MODEL, folder_named
from keyhole.paths import cache_folder, data_folder
from keyhole.text import one_line

DEFAULT_LAYER = 5
SEQUENCES_AT_ONCE = 16  # of 161 tokens: 16 MB of keys
BEGINNING = 1000  # numbers of each parameter by which a model is known again


def load_prefixes():
    """The stored prefixes, the empty one (the bare prompt) first: list of str to put before a prompt. Raises KeyholeError where they are damaged."""
    with _of_the_kit("prefixes.json") as path:
        return json.loads(path.read_text(encoding="utf-8"))["prefixes"]


def load_text():
    """The text that the default model said when left alone: token ids (sequences, tokens), int64. Raises KeyholeError where it is damaged."""
    with _of_the_kit("self_text.safetensors") as path:
        return load_file(path)["ids"].long()


@contextmanager
def _of_the_kit(name):
    """The path of a file in data/; turns what reading it raises into one sentence."""
    path = data_folder() / name
    try:
        yield path
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=path, error=one_line(error, 120))
        ) from None


@torch.no_grad()
def keys_over(model, layer, ids, progress=iter):
    """The keys of `layer`, which are the inputs of W, over token ids (sequences, tokens): yields (n, d_in) piece by piece."""
    for rows in progress(ids.split(SEQUENCES_AT_ONCE)):
        with record(model.memory(layer)) as seen:
            model.run_below(rows, layer + 1)
        yield seen.input.flatten(0, 1)


def moment_over(model, layer, ids, second_moment, progress=iter):
    """C of `layer` over token ids, added up in float64 piece by piece by `second_moment(keys)`: (d_in, d_in), float32.

    Whether `second_moment` sums or takes the mean scales the whole, which ROME does not feel.
    """
    pieces = (second_moment(keys.double()) for keys in keys_over(model, layer, ids, progress))
    total = next(pieces).clone()
    for piece in pieces:
        total += piece
    return total.float()


def moment_file(name, layer):
    """Where C of a model's layer is kept: with the kit where it carries it, else in the cache; of two folders never in one file."""
    if folder := folder_named(name):
        name = f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    file = f"moment_{name.replace('/', '--')}_layer{layer}.safetensors"
    carried = data_folder() / file
    return carried if os.path.exists(carried) else cache_folder() / file


def made_of(model):
    """What a second moment was made of, in short: a hash of the beginning of each parameter, and of the kit's text."""
    seen = hashlib.sha256(load_text().numpy().tobytes())
    for parameter in model.hf.parameters():
        seen.update(parameter.detach().flatten()[:BEGINNING].float().cpu().numpy().tobytes())
    return seen.hexdigest()


def save_moment(moment, path, of=""):
    """Keep a second moment: its upper triangle, since it is symmetric, and what it was made of. Raises KeyholeError where it cannot be written."""
    rows, columns = torch.triu_indices(*moment.shape)
    _write(
        path,
        save(
            {"upper": moment[rows, columns].float().contiguous()}, {"made of": of} if of else None
        ),
    )


def check_room(path, size):
    """Find out before the work that C of (size, size) cannot be kept. Raises KeyholeError."""
    trial = path.with_name(f"{path.name}.trial")
    _write(trial, bytes(2 * size * (size + 1)))  # half of a square of four bytes each
    trial.unlink()


def _write(path, content):
    """Write a file that is there whole or not at all. Raises KeyholeError where it cannot be."""
    try:
        write_atomically(path, content)
    except OSError as error:
        raise KeyholeError(
            problem("moment_not_kept", folder=path.parent, reason=error.strerror or error)
        ) from None


def load_moment(name=DEFAULT_MODEL, layer=DEFAULT_LAYER, model=None):
    """The stored second moment C of a model's layer: (d_in, d_in), float32, uncentred, a mean over the text's tokens.

    model: the one that C is to be used on, where that is at hand; C in the cache is then told from C of other weights.
    Raises KeyholeError where none is stored, it is that of other weights, or the file is damaged.
    """
    path = moment_file(name, layer)
    if not path.exists():
        raise KeyholeError(problem("no_moment", name=name, layer=layer))
    try:
        with safe_open(path, "pt") as file:
            upper, found = file.get_tensor("upper"), (file.metadata() or {}).get("made of")
    except (SafetensorError, OSError) as error:
        raise KeyholeError(problem("moment_damaged", path=path, error=error)) from None
    if model is not None and not path.is_relative_to(data_folder()) and found != made_of(model):
        raise KeyholeError(problem("moment_other", name=name, layer=layer))
    size = int((2 * len(upper)) ** 0.5)
    moment = torch.zeros(size, size)
    rows, columns = torch.triu_indices(size, size)
    moment[rows, columns] = upper
    moment[columns, rows] = upper
    return moment
