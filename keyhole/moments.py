"""Keys of a layer over a text, and the stored second moment C of them.

The kit carries a text and C of the default model's default layer; for another model or layer `moment_over` makes C
with the `second_moment` that it is given, and `save_moment` keeps it in the cache.
"""

import json

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from keyhole.errors import KeyholeError
from keyhole.hooks import record
from keyhole.messages import problem
from keyhole.models import DEFAULT_MODEL
from keyhole.paths import cache_folder, data_folder

DEFAULT_LAYER = 5
SEQUENCES_AT_ONCE = 16      # of 161 tokens: 16 MB of keys


def load_prefixes():
    """The stored prefixes, the empty one (the bare prompt) first: list of str to put before a prompt."""
    return json.loads((data_folder() / "prefixes.json").read_text(encoding="utf-8"))["prefixes"]


def load_text():
    """The text that the default model said when left alone: token ids (sequences, tokens), int64."""
    return load_file(data_folder() / "self_text.safetensors")["ids"].long()


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
    """Where C of a model's layer is kept: with the kit where it carries it, else in the cache."""
    file = f"moment_{name.replace('/', '--')}_layer{layer}.safetensors"
    carried = data_folder() / file
    return carried if carried.exists() else cache_folder() / file


def save_moment(moment, path):
    """Keep a second moment: its upper triangle, since it is symmetric."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = torch.triu_indices(*moment.shape)
    save_file({"upper": moment[rows, columns].float().contiguous()}, path)


def load_moment(name=DEFAULT_MODEL, layer=DEFAULT_LAYER):
    """The stored second moment C of a model's layer: (d_in, d_in), float32, uncentred, a mean over the text's tokens.

    Raises KeyholeError where none is stored, or the file is damaged.
    """
    path = moment_file(name, layer)
    if not path.exists():
        raise KeyholeError(problem("no_moment", name=name, layer=layer))
    try:
        upper = load_file(path)["upper"]
    except (SafetensorError, KeyError, OSError) as error:
        raise KeyholeError(problem("moment_damaged", path=path, error=error)) from None
    size = int((2 * len(upper)) ** 0.5)
    moment = torch.zeros(size, size)
    rows, columns = torch.triu_indices(size, size)
    moment[rows, columns] = upper
    moment[columns, rows] = upper
    return moment
