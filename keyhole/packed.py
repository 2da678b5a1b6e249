"""Texts that begin alike, packed into one row of tokens: what they share is computed once.

A fact's probes share their prompts' beginnings, and the two targets of a probe share its prompt.
As a tree of tokens they are about half of what they are as padded rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from keyhole.editable import EditableModel
from keyhole.suspended import run_on, unshared

if TYPE_CHECKING:
    from transformers.cache_utils import Cache

# Of a tree. More would cost more attention, as its square; fewer would share less.
TOKENS_AT_ONCE = 256
ROOT = -1


@dataclass
class Tree:
    """Texts as a tree of tokens. A token is listed once for all texts that are alike up to it.

    tokens: token ids, each after the ones that it follows.
    parents: where the token before each one is in `tokens`; ROOT for a first one.
    paths: number of a text -> where each of its tokens is in `tokens`.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    paths: dict[int, list[int]] = field(default_factory=dict)
    _places: dict[tuple[int, int], int] = field(default_factory=dict, repr=False)

    def add(self, number: int, text: Iterable[int]) -> None:
        """Put text `number` into the tree."""
        place, path = ROOT, []
        for token in text:
            step = place, token
            if step not in self._places:
                self._places[step] = len(self.tokens)
                self.tokens.append(token)
                self.parents.append(place)
            place = self._places[step]
            path.append(place)
        self.paths[number] = path

    def seen(self) -> torch.Tensor:
        """What each token (T, T) sees, bool: itself, and those before it in its own text."""
        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for place, parent in enumerate(self.parents):
            if parent != ROOT:
                seen[place] |= seen[parent]
        return seen


def trees_of(texts: Sequence[Sequence[int]], start: int = 0) -> list[Tree]:
    """The texts from token `start` on, in trees of about TOKENS_AT_ONCE tokens.

    Texts that begin alike come into the same tree. A path is that of the tokens from `start` on.
    """
    trees = []
    for number in sorted(range(len(texts)), key=lambda each: tuple(texts[each])):
        if not trees or len(trees[-1].tokens) >= TOKENS_AT_ONCE:
            trees.append(Tree())
        trees[-1].add(number, texts[number][start:])
    return trees


@torch.no_grad()
def cache_of(model: EditableModel, tokens: Sequence[int]) -> "Cache":
    """The attention's keys and values of what stands before all texts, as the model is now."""
    from transformers.cache_utils import DynamicCache  # late: transformers takes a second

    ids = torch.tensor([tokens], device=model.device)
    # A cache made without the model's config keeps all positions of a layer with a window, too.
    given = DynamicCache()
    return model.hf.base_model(ids, past_key_values=given, use_cache=True).past_key_values


class SuspendedTree:
    """A tree of tokens run through the layers below `layer`, to be run on from there.

    cache: that of the tokens before all texts, from `cache_of`; None where nothing is before them.
    """

    def __init__(
        self, model: EditableModel, tree: Tree, layer: int = 0, cache: "Cache | None" = None
    ):
        before = 0 if cache is None else cache.get_seq_length()
        seen = tree.seen()
        positions = seen.sum(1) - 1 + before
        seen = torch.cat([torch.ones(len(seen), before, dtype=torch.bool), seen], dim=1)
        columns = torch.cat([torch.arange(before), positions])
        options = {
            "attention_mask": _masks(model, seen, positions[:, None] - columns),
            "position_ids": positions[None].to(model.device),
        }
        if cache is not None:
            options |= {"past_key_values": unshared(cache), "use_cache": True}
        self._model, self._layer = model, layer
        self._calls = model.calls_from(torch.tensor([tree.tokens]), layer, **options)

    def run(self) -> torch.Tensor:
        """The final state of each token (T, d), before the final norm, of the model as it is now.

        Gradients flow.
        """
        return run_on(self._model, self._layer, self._calls)[0]


def _masks(model, seen, distance):
    """What is added to the attention's scores: (1, 1, T, tokens before + T), or one for each kind.

    A layer with a window sees only what is less than so many tokens away.
    """
    config = model.hf.config
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    hidden = torch.finfo(model.embedding.weight.dtype).min

    def added(visible):
        mask = torch.zeros(visible.shape, dtype=model.embedding.weight.dtype)
        return mask.masked_fill(~visible, hidden)[None, None].to(model.device)

    if not window or kinds == {"full_attention"}:
        return added(seen)
    near = added(seen & (distance < window))
    if len(kinds) < 2:
        return near
    return {"full_attention": added(seen), "sliding_attention": near}
