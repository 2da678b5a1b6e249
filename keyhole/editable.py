"""A causal language model as Keyhole sees it: blocks, their memories, where a subject is.

Where a family keeps its parts is in keyhole/layouts.py. What it computes with them is never written
out here: the model itself is asked.
"""

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from keyhole.errors import KeyholeError
from keyhole.interrupts import held_back
from keyhole.layouts import layout_of
from keyhole.messages import problem
from keyhole.text import places, why_absent

if TYPE_CHECKING:  # transformers takes a second
    from transformers import PreTrainedModel, PreTrainedTokenizerFast
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

# How a model calls a block: (args, kwargs), of which args[0] are the states (N, T, d).
Call = tuple[tuple[Any, ...], dict[str, Any]]

# What stands before a target while it is read: the first at whose end a token ends.
ANCHORS = ("a", "\n", ".", "。")


class _Stopped(Exception):
    """Carries how the model called a block out of the model."""


class _Given(torch.nn.Module):
    """Stands in the place of a model's body, and gives out final states that are there already."""

    def __init__(self, states):
        super().__init__()
        self._states = states

    def forward(self, *_: Any, **__: Any) -> "BaseModelOutputWithPastAndCrossAttentions":
        from transformers.modeling_outputs import (  # late: transformers takes a second
            BaseModelOutputWithPastAndCrossAttentions,
        )

        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self._states)


class EditableModel:
    """A causal model in evaluation mode, with its tokenizer, whose memories can be read and edited.

    `hf` is any GPT-2-like or Llama-like model of transformers, `tokenizer` a fast tokenizer.
    `occurrence` is the one that subject_slice means where a prompt names its subject more than
    once. Raises KeyholeError for any other layout.
    """

    # The last one: only there has the model read all that comes before.
    occurrence = -1

    def __init__(self, hf: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast"):
        self._layout = layout_of(hf)
        self.hf, self.tokenizer = hf.eval().requires_grad_(False), tokenizer
        self.embedding = hf.get_submodule(self._layout.embedding)
        self.final_norm = hf.get_submodule(self._layout.final_norm)
        self.blocks = hf.get_submodule(self._layout.blocks)
        self.n_layers = len(self.blocks)
        self._front, self._anchored = _reading_of(tokenizer)

    def meaning(self, occurrence: int) -> "EditableModel":
        """The same model, all weights shared, whose subject_slice means another occurrence."""
        twin = copy.copy(self)
        twin.occurrence = occurrence
        return twin

    @property
    def device(self) -> torch.device:
        return self.embedding.weight.device

    @property
    def most_tokens(self) -> int | None:
        """How many tokens the model reads at most; None where its config names no limit."""
        return getattr(self.hf.config, "max_position_embeddings", None)

    def block(self, layer: int) -> torch.nn.Module:
        """The whole block number `layer`, from 0; its output is the state after that layer."""
        if not 0 <= layer < self.n_layers:
            raise KeyholeError(problem("no_layer", layer=layer, last=self.n_layers - 1))
        return self.blocks[layer]

    def attention(self, layer: int) -> torch.nn.Module:
        """The attention module of a layer."""
        return self.block(layer).get_submodule(self._layout.attention)

    def mlp(self, layer: int) -> torch.nn.Module:
        """The MLP of a layer."""
        return self.block(layer).get_submodule(self._layout.mlp)

    def memory(self, layer: int) -> torch.nn.Module:
        """The module that holds W, a layer's second MLP matrix: keys go in, values come out."""
        return self.block(layer).get_submodule(self._layout.memory)

    def weight(self, layer: int) -> torch.Tensor:
        """W of a layer as (d_out, d_in): a view, whichever way round the module stores it."""
        memory = self.memory(layer)
        return memory.weight if isinstance(memory, torch.nn.Linear) else memory.weight.T

    def bias(self, layer: int) -> torch.Tensor | None:
        """The bias that the memory adds to Wk, (d_out,), or None; an edit of W leaves it alone."""
        return self.memory(layer).bias

    def encode(self, texts: Iterable[str]) -> list[list[int]]:
        """Token ids of each text, with the token that this model wants before a text, if any.

        Raises KeyholeError for an empty text.
        """
        read = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        return [self._front + tokens for tokens in _not_empty(texts, read)]

    def encode_targets(self, targets: Iterable[str]) -> list[list[int]]:
        """Token ids of texts that go on after another: encode(prompt) + these are the whole text's.

        There is no beginning-of-text token, nor a blank that the tokenizer puts before a text.
        Raises KeyholeError for an empty text.
        """
        if self._anchored:
            return _not_empty(targets, [self._after_anchor(target) for target in targets])
        return [tokens[len(self._front) :] for tokens in self.encode(targets)]

    def _after_anchor(self, target):
        for anchor in ANCHORS:
            read = self.tokenizer(
                anchor + target, add_special_tokens=False, return_offsets_mapping=True
            )
            places = list(zip(read["input_ids"], read["offset_mapping"]))
            if not any(left < len(anchor) < right for _, (left, right) in places):
                break
        return [token for token, (left, _) in places if left >= len(anchor)]

    @property
    def front(self) -> list[int]:
        """The tokens that this model wants before each text; mostly none, else one."""
        return list(self._front)

    def batch(self, ids: Iterable[Sequence[int]], padded: str = "right") -> torch.Tensor:
        """Lists of token ids, padded "right" or "left", as (N, T).

        Right padding needs no attention mask: causal attention never looks to the right. What is
        read on from is padded left, so that nothing comes between a text and what follows it.
        """
        rows = [torch.tensor(tokens) for tokens in ids]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_side=padded).to(
            self.device
        )

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Vocabulary logits (..., V) of final states (..., d), before the final norm."""
        return self.head(self.final_norm(states))

    def head(self, normed: torch.Tensor) -> torch.Tensor:
        """Vocabulary logits (..., V) of final states (..., d), after the final norm.

        The model itself makes them, so that they are scaled and capped as its family does.
        """
        twin = copy.copy(self.hf)
        given = _Given(normed.reshape(1, -1, normed.shape[-1]))
        twin._modules = {**self.hf._modules, self.hf.base_model_prefix: given}
        logits = twin.forward().logits
        return logits.reshape(*normed.shape[:-1], logits.shape[-1])

    @torch.no_grad()
    def run_below(self, ids: torch.Tensor, layer: int, **options: Any) -> Call:
        """Run token ids (N, T) through the layers below `layer`, and no further.

        Returns how the model would have called block `layer`. `layer` may be the number of layers:
        then all run. `options` go to the model.
        """

        def stop(_, args, kwargs):
            raise _Stopped(args, kwargs)

        reached = self.final_norm if layer == self.n_layers else self.block(layer)
        handle = reached.register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.hf.base_model(ids.to(self.device), **{"use_cache": False, **options})
        except _Stopped as call:
            return call.args
        finally:
            handle.remove()

    @torch.no_grad()
    def calls_from(self, ids: torch.Tensor, layer: int, **options: Any) -> list[Call]:
        """Run token ids (N, T) below `layer`; return how the model calls each block from there on.

        Later blocks may be called in other ways than block `layer`: with another mask, or another
        rotary embedding. None of them is run, so all get the states of the first.
        """
        calls: list[Call] = []

        def instead(*args, **kwargs):
            calls.append((args, kwargs))
            return args[0]

        self.block(layer)
        kept = [(block, vars(block).get("forward")) for block in self.blocks[layer:]]
        try:
            for block, _ in kept:
                block.forward = instead
            self.hf.base_model(ids.to(self.device), **{"use_cache": False, **options})
        finally:
            for block, own in kept:
                del block.forward
                if own is not None:
                    block.forward = own
        return calls

    @torch.no_grad()
    def next_token_probabilities(self, prompts: Sequence[str]) -> torch.Tensor:
        """The distribution over the token after each prompt: list of N texts -> (N, V)."""
        ids = self.encode(prompts)
        states = self.hf.base_model(self.batch(ids), use_cache=False).last_hidden_state
        last = states[torch.arange(len(ids)), torch.tensor([len(tokens) - 1 for tokens in ids])]
        return self.head(last).softmax(-1)

    def subject_slice(self, prompt: str, subject: str, occurrence: int | None = None) -> slice:
        """Which tokens of `prompt` the subject covers.

        It is looked for by characters, so token borders do not matter. Blanks around it do not
        count, nor do places inside longer words, unless there is no other. Where it is in the
        prompt more than once, `occurrence` chooses, as a list index would; without it,
        `self.occurrence` does: the last, as a rule. Raises KeyholeError where the prompt lacks the
        subject, which says what differs if they look alike.
        """
        occurrence = self.occurrence if occurrence is None else occurrence
        subject, starts = subject.strip(), places(prompt, subject)
        if not starts:
            raise KeyholeError(
                problem("no_subject", subject=subject, prompt=prompt), *why_absent(subject, prompt)
            )
        if not -len(starts) <= occurrence < len(starts):
            raise KeyholeError(
                problem(
                    "no_occurrence",
                    subject=subject,
                    prompt=prompt,
                    count=len(starts),
                    occurrence=occurrence,
                )
            )
        start = starts[occurrence]
        end = start + len(subject)
        read = self.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)
        covered = [
            i
            for i, (left, right) in enumerate(read["offset_mapping"], len(self._front))
            if left < end and right > start
        ]
        return slice(covered[0], covered[-1] + 1)

    @contextmanager
    def edited(self, layer: int, change: torch.Tensor) -> Iterator["EditableModel"]:
        """The model with `change` (d_out, d_in) added to W of `layer`, as long as the block lasts.

        Afterwards the stored weight is the old one, bit for bit. Raises KeyholeError for another
        shape.
        """
        weight = self.weight(layer)
        if tuple(change.shape) != tuple(weight.shape):
            raise KeyholeError(
                problem(
                    "change_shape",
                    layer=layer,
                    got=tuple(change.shape),
                    expected=tuple(weight.shape),
                )
            )
        before = weight.detach().clone()
        try:
            with torch.no_grad():
                weight += change.to(weight)
            yield self
        finally:
            with held_back(), torch.no_grad():
                weight.copy_(before)


def _not_empty(texts, ids):
    """`ids`, the tokens of the texts. Raises KeyholeError for a text without any."""
    for text, tokens in zip(texts, ids):
        if not tokens:
            raise KeyholeError(problem("no_tokens", text=text))
    return ids


def _reading_of(tokenizer):
    """What a tokenizer puts before a text: the special tokens; whether a blank of its own too."""
    plain, spaced, joint = tokenizer(["a", " a", "a a"], add_special_tokens=False)["input_ids"]
    whole = tokenizer("a")["input_ids"]
    starts = [i for i in range(len(whole)) if plain and whole[i : i + len(plain)] == plain]
    return whole[: starts[0]] if starts else [], plain == spaced or joint != plain + spaced
