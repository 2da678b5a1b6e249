"""Tiny random models: to try an idea in milliseconds, and to test shapes that no real model has."""

from typing import TYPE_CHECKING

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.models import EditableModel

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

VOCABULARY = 256  # one token a byte


def byte_tokenizer() -> "PreTrainedTokenizerFast":
    """A tokenizer whose tokens are the bytes of a text; a letter outside ASCII takes several."""
    # Imported here: transformers takes a second, and not everybody who imports this makes a toy.
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(
        models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def toy_model(
    layout: str = "llama",
    seed: int = 0,
    layers: int = 3,
    width: int = 12,
    mlp_width: int = 20,
    heads: int = 2,
) -> EditableModel:
    """A random model of `layout` "llama" or "gpt2" with a byte tokenizer.

    `width` is that of the states (a multiple of 2 * heads), `mlp_width` that of the keys. All
    parameters, biases included, are drawn large enough that probabilities differ visibly. The same
    arguments give the same weights. Raises KeyholeError for another layout.
    """
    hf = _untrained(layout, layers, width, mlp_width, heads)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in hf.named_parameters():
            drawn = torch.randn(parameter.shape, generator=generator)
            norm = parameter.dim() == 1 and name.endswith("weight")
            parameter.copy_(1 + 0.2 * drawn if norm else drawn / max(parameter.shape[-1], 4) ** 0.5)
    return EditableModel(hf, byte_tokenizer())


def _untrained(layout, layers, width, mlp_width, heads):
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    if layout == "llama":
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=width,
                intermediate_size=mlp_width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                num_key_value_heads=1,
                max_position_embeddings=256,
                tie_word_embeddings=True,
                bos_token_id=None,
                eos_token_id=None,
            )
        )
    if layout == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=VOCABULARY,
                n_embd=width,
                n_inner=mlp_width,
                n_layer=layers,
                n_head=heads,
                n_positions=256,
                bos_token_id=None,
                eos_token_id=None,
            )
        )
    raise KeyholeError(problem("no_toy", layout=layout))
