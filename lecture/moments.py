"""C of several layers; the mean key beside it, without which C cannot be centred.

The kit carries C of its default layer, and lecture/data/ that of some others. Any other is computed
over a part of the kit's text, and kept in the cache folder.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from autograder.oracle import editing, references
from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.hooks import record
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import (
    DEFAULT_LAYER,
    SEQUENCES_AT_ONCE,
    load_moment,
    load_text,
    made_of,
    read_moment,
    save_correlations,
)
from keyhole.paths import cache_folder
from lecture.asking import check_choice
from lecture.messages import sentence
from lecture.watching import Watch
from lecture.weights import Weights

DATA = Path(__file__).resolve().parent / "data"
METRICS = ("C", "identity", "centred")
CARRIED = (12, 18, 27)  # beside the default layer: further up an edit does less and less
PART = 4  # live, one sequence in so many of the text is read: 17 tokens for each number of a key


@dataclass(frozen=True)
class Moment:
    """The second moment C (d_in, d_in) of a layer's keys, and their mean (d_in,)."""

    c: Tensor
    mean: Tensor

    def metric(self, name: str) -> Tensor:
        """By which the change of W is to be smallest: C, the identity, or C of centred keys."""
        check_choice(name, METRICS)
        if name == "identity":
            return torch.eye(len(self.c))
        if name == "centred":
            return (self.c.double() - torch.outer(self.mean.double(), self.mean.double())).float()
        return self.c


def moments_of(
    model: EditableModel, layers: Sequence[int], ids: Tensor, progress: Callable = iter
) -> dict[int, Moment]:
    """C and the mean key of some layers over token ids (sequences, tokens), from one run.

    `progress` wraps the pieces of the text.
    """
    width = model.weight(layers[0]).shape[1]
    c = {layer: torch.zeros(width, width, dtype=torch.float64) for layer in layers}
    mean = {layer: torch.zeros(width, dtype=torch.float64) for layer in layers}
    for rows in progress(ids.split(SEQUENCES_AT_ONCE)):
        with ExitStack() as stack:
            seen = {layer: stack.enter_context(record(model.memory(layer))) for layer in layers}
            model.run_below(rows, max(layers) + 1)
        for layer in layers:
            keys = seen[layer].input.flatten(0, 1).cpu()
            c[layer] += editing.second_moment(keys) * (len(keys) / ids.numel())
            mean[layer] += keys.double().sum(0) / ids.numel()
    return {layer: Moment(c[layer].float(), mean[layer].float()) for layer in layers}


def carried_file(layer: int) -> Path:
    """Where lecture/data/ holds C of a layer of the kit's model."""
    return DATA / f"moment_{DEFAULT_MODEL}_layer{layer}.safetensors"


class Moments:
    """C of every layer of the one model as it was loaded.

    `name` is the model's, and `ids` (sequences, tokens) a text for a model that does not read the
    kit's.
    """

    def __init__(self, weights: Weights, name: str = DEFAULT_MODEL, ids: Tensor | None = None):
        self._weights, self._name, self._ids = weights, name, ids
        self._known: dict[int, Moment] = {}

    def stored_layers(self) -> tuple[int, ...]:
        """The layers whose C is there at once."""
        layers = range(self._weights.model.n_layers)
        return tuple(
            layer
            for layer in layers
            if layer in self._known or self._carried(layer) or self._cache(layer).exists()
        )

    def get(self, layer: int, watch: Watch) -> Moment:
        """C of a layer, computed and kept where it is not there yet.

        Raises KeyholeError where it would have to be computed while something is planted, or
        cannot be kept.
        """
        if layer not in self._known:
            self._known[layer] = self._read(layer) or self._made(layer, watch)
        return self._known[layer]

    def _carried(self, layer):
        of_the_kit = self._name == DEFAULT_MODEL
        return of_the_kit and (layer == DEFAULT_LAYER or carried_file(layer).exists())

    def _cache(self, layer):
        return cache_folder() / f"lecture_moment_{self._name}_layer{layer}.safetensors"

    def _read(self, layer):
        """C that is stored, None where none is."""
        if self._carried(layer):
            if layer == DEFAULT_LAYER:
                return Moment(load_moment(), references.mean_key().float())
            return _moment(read_moment(carried_file(layer)))
        if self._weights.state:
            raise KeyholeError(sentence("undo_first", layer=layer))
        path = self._cache(layer)
        if not path.exists():
            return None
        stored = read_moment(path)
        return _moment(stored) if stored.of == made_of(self._weights.model) else None

    def _made(self, layer, watch):
        ids = load_text()[::PART] if self._ids is None else self._ids
        moment = moments_of(self._weights.model, [layer], ids, watch.bar("moment"))[layer]
        of = made_of(self._weights.model)
        save_correlations(moment.c, self._cache(layer), of, moment.mean)
        return moment


def _moment(stored):
    return Moment(stored.moment, stored.mean)
