"""Keys of a layer over a text, and the stored second moment C of them.

The kit carries a text and C of the default model's default layer. For another model or layer
`moment_over` makes C with the `second_moment` that it is given, and `save_moment` keeps it in the
cache.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from keyhole.errors import KeyholeError
from keyhole.files import write_atomically
from keyhole.hooks import record
from keyhole.messages import problem
from keyhole.models import DEFAULT_MODEL, EditableModel, folder_named
from keyhole.paths import cache_folder, data_folder
from keyhole.text import one_line

DEFAULT_LAYER = 5
SEQUENCES_AT_ONCE = 16  # of 161 tokens: 16 MB of keys
BEGINNING = 1000  # numbers of each parameter by which a model is known again


def load_prefixes() -> list[str]:
    """The stored texts to put before a prompt, the empty one (the bare prompt) first.

    Raises KeyholeError where they are damaged.
    """
    with _of_the_kit("prefixes.json") as path:
        return json.loads(path.read_text(encoding="utf-8"))["prefixes"]


def load_text() -> torch.Tensor:
    """The text that the default model said when left alone: token ids (sequences, tokens), int64.

    Raises KeyholeError where it is damaged.
    """
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
def keys_over(
    model: EditableModel, layer: int, ids: torch.Tensor, progress: Callable = iter
) -> Iterator[torch.Tensor]:
    """The keys of `layer`, which are the inputs of W, over token ids (sequences, tokens).

    Yields (n, d_in) piece by piece. `progress` wraps the pieces, as tqdm does.
    """
    for rows in progress(ids.split(SEQUENCES_AT_ONCE)):
        with record(model.memory(layer)) as seen:
            model.run_below(rows, layer + 1)
        yield seen.input.flatten(0, 1)


def moment_over(
    model: EditableModel,
    layer: int,
    ids: torch.Tensor,
    second_moment: Callable[[torch.Tensor], torch.Tensor],
    progress: Callable = iter,
) -> torch.Tensor:
    """C of `layer` over token ids: (d_in, d_in), float32, on the model's device.

    `second_moment(keys)` is called on each piece, in float64, and the results are added up. Whether
    it sums or takes the mean only scales the whole, and ROME does not feel the scale.
    """
    pieces = (second_moment(keys.double()) for keys in keys_over(model, layer, ids, progress))
    total = next(pieces).clone()
    for piece in pieces:
        total += piece
    return total.float()


def moment_file(name: str, layer: int) -> Path:
    """Where C of a model's layer is kept: in the kit if the kit carries it, else in the cache.

    Two folders with models never share a file.
    """
    if folder := folder_named(name):
        name = f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    file = f"moment_{name.replace('/', '--')}_layer{layer}.safetensors"
    carried = data_folder() / file
    return carried if os.path.exists(carried) else cache_folder() / file


def made_of(model: EditableModel) -> str:
    """What a second moment was made of: a hash of each parameter's beginning, and of the text."""
    seen = hashlib.sha256(load_text().numpy().tobytes())
    for parameter in model.hf.parameters():
        seen.update(parameter.detach().flatten()[:BEGINNING].float().cpu().numpy().tobytes())
    return seen.hexdigest()


def save_moment(moment: torch.Tensor, path: Path, of: str = "") -> None:
    """Keep a second moment: its upper triangle, since it is symmetric, and what it was made of.

    Raises KeyholeError where it cannot be written.
    """
    rows, columns = torch.triu_indices(*moment.shape)
    _write(
        path,
        save(
            {"upper": moment[rows, columns].float().contiguous()}, {"made of": of} if of else None
        ),
    )


def save_correlations(
    moment: torch.Tensor, path: Path, of: str, mean: torch.Tensor | None = None
) -> None:
    """Keep a second moment in half the room: its diagonal, and the correlations in half precision.

    The direction C⁻¹k* of a fact in the default model's layer 5 then differs by 0.05 % at most. The
    keys' `mean` (d_in,) may be kept beside it. Raises KeyholeError where it cannot be written.
    """
    diagonal = moment.diagonal().clamp(min=torch.finfo(torch.float32).tiny)
    rows, columns = torch.triu_indices(*moment.shape, offset=1)
    correlation = moment[rows, columns] / (diagonal[rows] * diagonal[columns]).sqrt()
    parts = {
        "diagonal": diagonal.float().contiguous(),
        "correlation": correlation.half().contiguous(),
    }
    if mean is not None:
        parts["mean"] = mean.float().contiguous()
    _write(path, save(parts, {"made of": of}))


@dataclass(frozen=True)
class StoredMoment:
    """What a file of save_moment or of save_correlations holds."""

    moment: torch.Tensor  # C (d_in, d_in), float32
    mean: torch.Tensor | None  # of the keys, (d_in,)
    of: str | None  # what it was made of


def read_moment(path: Path) -> StoredMoment:
    """Read such a file. Raises KeyholeError where it is damaged."""
    try:
        with safe_open(path, "pt") as file:
            mean = file.get_tensor("mean") if "mean" in file.keys() else None
            return StoredMoment(_square(file), mean, (file.metadata() or {}).get("made of"))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise KeyholeError(problem("moment_damaged", path=path, error=error)) from None


def check_room(path: Path, size: int) -> None:
    """Raises KeyholeError, before the work, where C of (size, size) cannot be kept."""
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


def load_moment(
    name: str = DEFAULT_MODEL, layer: int = DEFAULT_LAYER, model: EditableModel | None = None
) -> torch.Tensor:
    """The stored second moment C of a model's layer: (d_in, d_in), float32, uncentred.

    It is a mean over the text's tokens. With the `model` that C is to be used on, C in the cache
    that was made of other weights is refused, and C is on the model's device. Raises KeyholeError
    where no C is stored, it is that of other weights, or the file is damaged.
    """
    path = moment_file(name, layer)
    if not path.exists():
        raise KeyholeError(problem("no_moment", name=name, layer=layer))
    stored = read_moment(path)
    carried = path.is_relative_to(data_folder())
    if model is not None and not carried and stored.of != made_of(model):
        raise KeyholeError(problem("moment_other", name=name, layer=layer))
    return stored.moment if model is None else stored.moment.to(model.device)


def _square(file):
    """C from a file of save_moment or of save_correlations."""
    if "upper" in file.keys():
        upper = file.get_tensor("upper")
        size, offset = int((2 * len(upper)) ** 0.5), 0
        moment = torch.zeros(size, size)
    else:
        diagonal = file.get_tensor("diagonal")
        size, offset = len(diagonal), 1
        moment = diagonal.diag()
    rows, columns = torch.triu_indices(size, size, offset=offset)
    if offset:
        scale = (diagonal[rows] * diagonal[columns]).sqrt()
        upper = file.get_tensor("correlation").float() * scale
    moment[rows, columns] = upper
    moment[columns, rows] = upper
    return moment
