"""A batch of texts stopped on its way through the model, to be run on from there again and again.

An edit of layer l leaves everything below l as it was. A change of one state leaves everything to
its left as it was. Code that tries one edit after another computes those parts once, and runs only
the rest again.
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch

from keyhole.editable import Call, EditableModel


def unshared(value: Any) -> Any:
    """A cache that grows without the one it was taken from; it shares tensors, and writes none.

    Anything else is given back as it is.
    """
    from transformers.cache_utils import Cache  # late: transformers takes a second

    if not isinstance(value, Cache):
        return value
    twin = copy.copy(value)
    twin.layers = [copy.copy(layer) for layer in value.layers]
    return twin


def run_on(model: EditableModel, layer: int, calls: Sequence[Call]) -> torch.Tensor:
    """The final states, before the final norm, from the calls of `EditableModel.calls_from`.

    They can be run again and again, and feel the weights of the moment. Gradients flow.
    """
    states = calls[0][0][0]
    for block, (args, kwargs) in zip(model.blocks[layer:], calls):
        others = [unshared(value) for value in args[1:]]
        named = {name: unshared(value) for name, value in kwargs.items()}
        states = block(states, *others, **named)
    return states


class Suspended:
    """Token ids run through the layers below `layer`, at the positions from `starts` on.

    Row i of `states` (N, T, d) holds the inputs of block `layer` for tokens starts[i],
    starts[i] + 1, ... of text i, padded right. What is left of starts[i] stays in a cache of the
    attention's keys and values, as the model computed them then. Without `starts` all positions
    are there, and no cache is needed.
    """

    def __init__(
        self,
        model: EditableModel,
        ids: Sequence[list[int]],
        layer: int,
        starts: list[int] | None = None,
    ):
        self._model, self.layer = model, layer
        self.starts = starts or [0] * len(ids)
        tail = model.batch([tokens[start:] for tokens, start in zip(ids, self.starts)])
        options = {"use_cache": False}
        if any(self.starts):
            options = self._heads(ids, tail)
        self._calls = model.calls_from(tail, layer, **options)
        self.states = self._calls[0][0][0]

    def _heads(self, ids, tail):
        """Run what is left of the starts through all layers; say how to run the tails after it."""
        model, device = self._model, tail.device
        # An empty head still needs one token to make a row; the mask hides it.
        rows = [tokens[:start] or tokens[:1] for tokens, start in zip(ids, self.starts)]
        heads = model.batch(rows, padded="left")
        starts = torch.tensor(self.starts, device=device)[:, None]
        positions = torch.arange(heads.shape[1], device=device) - heads.shape[1] + starts
        seen = positions >= 0
        with torch.no_grad():
            cache = model.hf.base_model(
                heads,
                use_cache=True,
                attention_mask=seen.long(),
                position_ids=positions.clamp(min=0),
            ).past_key_values
        return {
            "past_key_values": cache,
            "use_cache": True,
            "attention_mask": torch.cat([seen.long(), torch.ones_like(tail)], dim=1),
            "position_ids": starts + torch.arange(tail.shape[1], device=device),
        }

    def run(self) -> torch.Tensor:
        """The final states (N, T, d), before the final norm, of the model as it is now.

        Gradients flow.
        """
        return run_on(self._model, self.layer, self._calls)
