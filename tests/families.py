"""Small random models of transformers' families, to see that each is computed as it does itself."""

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from keyhole.models import EditableModel
from keyhole.toy import byte_tokenizer

WINDOW = 4  # tokens that a layer with a window sees: fewer than any text here has

SIZES = {
    "vocab_size": 256,
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 256,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
MIXED = ["sliding_attention", "full_attention"] * 2
GPT2_SIZES = {
    "vocab_size": 256,
    "n_embd": 16,
    "n_inner": 20,
    "n_layer": 4,
    "n_head": 2,
    "n_positions": 256,
    "bos_token_id": None,
    "eos_token_id": None,
}
SCALES = {
    "logits_scaling": 0.3,
    "residual_multiplier": 0.5,
    "embedding_multiplier": 3.0,
    "attention_multiplier": 0.2,
}

# What each family does that the kit's own models do not.
FAMILIES = {
    "gpt2": GPT2_SIZES,
    "gpt_bigcode": {**GPT2_SIZES, "multi_query": True},  # heads share keys and values
    "llama": SIZES,
    "qwen2": SIZES,
    "qwen3": {**SIZES, "head_dim": 8},  # norms inside the attention
    "mistral": {**SIZES, "sliding_window": WINDOW},
    "gemma": {**SIZES, "head_dim": 8},  # scaled embeddings
    "gemma2": {  # soft caps; norms before and after; local and global attention
        **SIZES,
        "head_dim": 8,
        "sliding_window": WINDOW,
        "layer_types": MIXED,
        "final_logit_softcapping": 5.0,
        "attn_logit_softcapping": 0.9,
    },
    "gemma3_text": {  # the same without caps; two rotary embeddings
        **SIZES,
        "head_dim": 8,
        "sliding_window": WINDOW,
        "layer_types": MIXED,
    },
    "cohere": {**SIZES, "logit_scale": 0.3},  # attention and MLP side by side
    "cohere2": {**SIZES, "logit_scale": 0.3, "sliding_window": WINDOW, "layer_types": MIXED},
    "olmo": SIZES,  # norms without weights
    "olmo2": SIZES,  # norms after the attention and the MLP only
    "olmo3": {**SIZES, "sliding_window": WINDOW, "layer_types": MIXED},
    "granite": {**SIZES, **SCALES},
    "phi3": {**SIZES, "sliding_window": WINDOW},  # a matrix for gate and up together
    "smollm3": {**SIZES, "no_rope_layers": [1, 0, 1, 0]},  # layers without positions
    "stablelm": {**SIZES, "partial_rotary_factor": 0.5},
}


def family_model(family: str, **changes: object) -> EditableModel:
    """A random model of a family, all parameters large enough to be felt, with byte tokens."""
    torch.manual_seed(3)
    config = AutoConfig.for_model(family, **{**FAMILIES.get(family, SIZES), **changes})
    hf = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return EditableModel(hf, byte_tokenizer())


def blank_tokenizer(front: bool = False, always: bool = True) -> PreTrainedTokenizerFast:
    """As Llama 2's and Mistral's: it puts a blank before a text. `front`: and a token of its own.

    `always`: also before a text that begins with one. " Rome" and " Paris" are one token each.
    """
    words = ["▁Rome", "▁Paris", "▁", "</s>", "<s>"]
    letters = sorted({chr(code) for code in range(33, 127)} | set("éè東京"))
    letters += ["<unk>"]
    vocabulary = {token: i for i, token in enumerate([*letters, *words, *PARTS])}
    merges = [tuple(pair) for pair in MERGES]
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
    if always:
        made.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
    else:
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    made.decoder = decoders.Metaspace(prepend_scheme="always")
    if front:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>")


PARTS = ["▁R", "▁Ro", "▁Rom", "▁P", "▁Pa", "▁Par", "▁Pari"]
MERGES = [
    ("▁", "R"),
    ("▁R", "o"),
    ("▁Ro", "m"),
    ("▁Rom", "e"),
    ("▁", "P"),
    ("▁P", "a"),
    ("▁Pa", "r"),
    ("▁Par", "i"),
    ("▁Pari", "s"),
]
