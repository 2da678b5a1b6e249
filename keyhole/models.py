"""A causal language model seen as what Keyhole needs of it: blocks, their memories, and where a subject lies.

Everything that differs between GPT-2-like and Llama-like models stands here, and nowhere else.
"""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import listed, problem

DEFAULT_MODEL = "smollm2-135m"
HUB_MODELS = (
    "gpt2",
    "gpt2-medium",
    "gpt2-large",
    "gpt2-xl",
)  # names without an owner; the rest are "owner/name"


@dataclass(frozen=True)
class Layout:
    """Where a family of models keeps its parts, as attribute paths from the whole model, or from one block."""

    blocks: str
    embedding: str
    final_norm: str
    attention: str
    mlp: str
    memory: str  # the second matrix of the MLP: its input is the key, its output the value


LAYOUTS = {
    "llama": Layout(
        "model.layers", "model.embed_tokens", "model.norm", "self_attn", "mlp", "mlp.down_proj"
    ),
    "gpt2": Layout(
        "transformer.h", "transformer.wte", "transformer.ln_f", "attn", "mlp", "mlp.c_proj"
    ),
}


def _layout_of(hf):
    for layout in LAYOUTS.values():
        try:
            hf.get_submodule(layout.embedding)
            for block in hf.get_submodule(layout.blocks).children():
                block.get_submodule(layout.memory)
            return layout
        except AttributeError:
            continue
    looked = listed(f"{layout.blocks}.*.{layout.memory}" for layout in LAYOUTS.values())
    raise KeyholeError(problem("unknown_layout", kind=type(hf).__name__, looked=looked))


class _Stopped(Exception):
    """Carries how the model called a block out of the model."""


class EditableModel:
    """A causal model in evaluation mode, with its tokenizer, whose memories can be read and edited.

    `hf` is any GPT-2-like or Llama-like model of transformers, `tokenizer` a fast tokenizer.
    Raises KeyholeError for any other layout.
    """

    def __init__(self, hf, tokenizer):
        self._layout = _layout_of(hf)
        self.hf, self.tokenizer = hf.eval().requires_grad_(False), tokenizer
        self.embedding = hf.get_submodule(self._layout.embedding)
        self.final_norm = hf.get_submodule(self._layout.final_norm)
        self.blocks = hf.get_submodule(self._layout.blocks)
        self.n_layers = len(self.blocks)

    @property
    def device(self):
        return self.embedding.weight.device

    def block(self, layer):
        """The whole block number `layer`, counted from 0; its output is the state after that layer."""
        if not 0 <= layer < self.n_layers:
            raise KeyholeError(problem("no_layer", layer=layer, last=self.n_layers - 1))
        return self.blocks[layer]

    def attention(self, layer):
        """The attention module of a layer."""
        return self.block(layer).get_submodule(self._layout.attention)

    def mlp(self, layer):
        """The MLP of a layer."""
        return self.block(layer).get_submodule(self._layout.mlp)

    def memory(self, layer):
        """The module that holds W, the second matrix of a layer's MLP: keys go in, values come out."""
        return self.block(layer).get_submodule(self._layout.memory)

    def weight(self, layer):
        """W of a layer as (d_out, d_in): a view, whichever way round the module stores it."""
        memory = self.memory(layer)
        return memory.weight if isinstance(memory, torch.nn.Linear) else memory.weight.T

    def bias(self, layer):
        """The bias that the memory adds to Wk, (d_out,), or None; an edit of W leaves it alone."""
        return self.memory(layer).bias

    def encode(self, texts):
        """Token ids of a list of texts, each a list of int; no special tokens. Raises KeyholeError for an empty one."""
        ids = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []
        for text, tokens in zip(texts, ids):
            if not tokens:
                raise KeyholeError(problem("no_tokens", text=text))
        return ids

    def batch(self, ids):
        """Lists of token ids, padded right, as (N, T).

        Right padding needs no attention mask: causal attention never looks to the right.
        """
        rows = [torch.tensor(tokens) for tokens in ids]
        return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self.device)

    def logits(self, states):
        """Vocabulary logits of final states (..., d), which have been through all blocks but not the final norm."""
        return self.hf.get_output_embeddings()(self.final_norm(states))

    @torch.no_grad()
    def run_below(self, ids, layer, **options):
        """Run token ids (N, T) through the layers below `layer`, and no further.

        Returns how the model would have called block `layer`: (args, kwargs), args[0] being the states (N, T, d).
        `layer` may be the number of layers: then all run. `options` go to the model.
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
    def next_token_probabilities(self, prompts):
        """The distribution over the token after each prompt: list of N texts -> (N, V)."""
        ids = self.encode(prompts)
        states = self.hf.base_model(self.batch(ids), use_cache=False).last_hidden_state
        last = states[torch.arange(len(ids)), torch.tensor([len(tokens) - 1 for tokens in ids])]
        return self.hf.get_output_embeddings()(last).softmax(-1)

    def subject_slice(self, prompt, subject, occurrence=-1):
        """Which tokens of `prompt` the subject covers, as a slice; found by characters, so token borders do not matter.

        Where the subject stands in the prompt more than once the last one is meant, since only there has the
        model read all that comes before; `occurrence` chooses another, as a list index would.
        Raises KeyholeError where the prompt lacks the subject.
        """
        starts = [i for i in range(len(prompt)) if prompt.startswith(subject, i)] if subject else []
        if not starts:
            raise KeyholeError(problem("no_subject", subject=subject, prompt=prompt))
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
        offsets = self.tokenizer(prompt, add_special_tokens=False, return_offsets_mapping=True)[
            "offset_mapping"
        ]
        covered = [
            i
            for i, (left, right) in enumerate(offsets)
            if left < start + len(subject) and right > start
        ]
        return slice(covered[0], covered[-1] + 1)

    @contextmanager
    def edited(self, layer, change):
        """The model with W of `layer` changed by `change` (d_out, d_in), for as long as the block lasts.

        Afterwards the stored weight is the old one, bit for bit. Raises KeyholeError for another shape.
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
            with torch.no_grad():
                weight.copy_(before)


def load_model(name=DEFAULT_MODEL, device="cpu"):
    """Load a model by name as an EditableModel, in float32.

    "smollm2-135m" is the kit's own model: fetched once into the cache, then loaded by memory map, without any hub.
    Any other name is a folder, or that of a GPT-2-like or Llama-like model on the hub: "gpt2-xl", "owner/name".
    Raises KeyholeError where there is no such model, its files are damaged, or its layout is unknown.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    if name == DEFAULT_MODEL:
        from keyhole.fetch import fetch

        source, local = fetch(), True
    else:
        source, local = name, folder_named(name) is not None
        if not local and "/" not in name and name not in HUB_MODELS:
            raise KeyholeError(
                problem("no_such_model", name=name, known=", ".join((DEFAULT_MODEL, *HUB_MODELS)))
            )
        local = local or not _hub_answers(name)
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=local)
        if not tokenizer("a", add_special_tokens=False)[
            "input_ids"
        ]:  # transformers makes an empty one where the files are missing
            raise ValueError("the tokenizer is missing")
        hf, found = AutoModelForCausalLM.from_pretrained(
            source, local_files_only=local, dtype=torch.float32, output_loading_info=True
        )
        if found["missing_keys"]:  # in whose place there are random numbers now
            raise ValueError(f"{min(found['missing_keys'])} is missing")
    except Exception as error:  # a damaged file is met by json, pickle, safetensors, tokenizers or transformers, each in its own way
        if local and (Path(source) / "config.json").exists():
            raise KeyholeError(
                problem("model_damaged", folder=source, error=_first_line(error))
            ) from None
        raise KeyholeError(
            problem("model_not_loaded", name=name, default=DEFAULT_MODEL, error=_first_line(error))
        ) from None
    finally:
        if bars:
            logging.enable_progress_bar()
    return EditableModel(hf.to(device), tokenizer)


def _hub_answers(name):
    """Whether the hub can be asked for a model; where not, its client would go on trying for a minute, and say so in 22 lines."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"))
    except Exception as error:  # of the network or its client, each in its own way
        return isinstance(error, HfHubHTTPError)  # that there is no such model is an answer too
    return True


def folder_named(name):
    """The folder that a model's name stands for, or None: the kit's own model is never one."""
    return Path(name).resolve() if name != DEFAULT_MODEL and os.path.isdir(name) else None


def _first_line(error):
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
