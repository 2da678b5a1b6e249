"""Where a family of models keeps its parts. All that tells GPT-2's from Llama's is here."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keyhole.errors import KeyholeError
from keyhole.messages import listed, problem

if TYPE_CHECKING:  # transformers takes a second
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Layout:
    """Where a family of models keeps its parts, as attribute paths."""

    blocks: str  # this and the next two from the whole model, the others from one block
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


def layout_of(hf: "PreTrainedModel") -> Layout:
    """The layout that every block of the model has. Raises KeyholeError where there is none."""
    for layout in LAYOUTS.values():
        try:
            hf.get_submodule(layout.embedding), hf.get_submodule(layout.final_norm)
            for block in hf.get_submodule(layout.blocks).children():
                for part in (layout.attention, layout.mlp, layout.memory):
                    block.get_submodule(part)
            return layout
        except AttributeError:
            continue
    looked = listed(f"{layout.blocks}.*.{layout.memory}" for layout in LAYOUTS.values())
    raise KeyholeError(problem("unknown_layout", kind=type(hf).__name__, looked=looked))
