"""Whole causal maps of a model of GPT-2 XL's size on a GPU, by three ways; the CPU's beside them.

The weights are random, and drawn on the device: speed does not need trained ones.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor

from autograder.oracle import tracing
from bench.row import Row, timed
from bench.tracing import textbook, whole_map
from keyhole.hooks import edit
from keyhole.models import EditableModel
from keyhole.toy import byte_tokenizer
from keyhole.tracing import MAP_KINDS, subject_noise

PROMPT, SUBJECT = "\nAnn sings", "Ann"  # 10 tokens, one a byte; the subject has three
SIZES = {"n_layer": 48, "n_embd": 1600, "n_head": 25}
# The logits of random weights are nearly alike; so many times as large, answers are told apart.
SHARPNESS = 10.0
# Both loops cost the same for every cell: one in so many is run, and the time multiplied.
EVERY = 13


def rows() -> Iterator[Row]:
    if not torch.cuda.is_available():
        yield Row("maps on a GPU: not measured, torch sees none here", math.nan)
        return
    model = random_model("cuda")
    noise = subject_noise(model, PROMPT, SUBJECT)
    whole_map(model, PROMPT, SUBJECT, noise, "mlp")  # the libraries choose their kernels
    maps = {}
    for kind in MAP_KINDS:
        maps[kind], row = three_ways(model, noise, kind)
        yield row
    model.hf.to("cpu")
    for kind, made in maps.items():
        yield beside_the_cpu(model, noise.cpu(), kind, made.values)


def random_model(device: str, **sizes: int) -> EditableModel:
    """A random GPT-2 on `device`, as large as GPT-2 XL unless `sizes` say otherwise."""
    from transformers import GPT2Config, GPT2LMHeadModel  # late: transformers takes a second

    config = GPT2Config(**{**SIZES, **sizes}, bos_token_id=None, eos_token_id=None)
    torch.manual_seed(0)
    with torch.device(device):
        hf = GPT2LMHeadModel(config)
    with torch.no_grad():
        hf.transformer.ln_f.weight *= SHARPNESS
    return EditableModel(hf, byte_tokenizer())


@torch.no_grad()
def papers_way(
    model: EditableModel,
    noise: Tensor,
    cells: Sequence[tuple[int, int]],
    kind: str,
    window: int = 10,
) -> Tensor:
    """The values of some (position, layer) cells as the authors of ROME compute them.

    Each cell is a run of the whole model on a batch of the clean prompt and its corrupted copies.
    What is restored is copied from the batch's clean row. Logits are made for all tokens.
    """
    parts = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(PROMPT, SUBJECT)
    ids = model.batch(model.encode([PROMPT]) * (len(noise) + 1))
    answer = model.hf(ids[:1], use_cache=False).logits[0, -1].argmax()

    def corrupted(embeddings: Tensor) -> Tensor:
        changed = embeddings.clone()
        changed[1:, span] += noise
        return changed

    def put(output: Tensor, position: int) -> Tensor:
        changed = output.clone()
        changed[1:, position] = changed[0, position]
        return changed

    values = []
    for position, layer in cells:
        restored = range(layer, layer + 1)
        if kind != "state":
            restored = range(*tracing.window_of(layer, window, model.n_layers))
        with ExitStack() as stack:
            stack.enter_context(edit(model.embedding, corrupted))
            for each in restored:
                stack.enter_context(edit(parts(each), partial(put, position=position)))
            logits = model.hf(ids, use_cache=False).logits
        values.append(logits[1:, -1].softmax(-1)[:, answer].mean())
    return torch.stack(values).cpu()


def three_ways(model: EditableModel, noise: Tensor, kind: str) -> tuple[tracing.CausalMap, Row]:
    """A whole map by the sweep, beside the textbook loop and the paper's way."""
    tokens = len(model.encode([PROMPT])[0])
    cells = [(position, layer) for position in range(tokens) for layer in range(model.n_layers)]
    some = cells[::EVERY]
    made, seconds = timed(partial(whole_map, model, PROMPT, SUBJECT, noise, kind))
    by_loop, loop = timed(partial(textbook, model, PROMPT, SUBJECT, noise, some, kind))
    by_paper, paper = timed(partial(papers_way, model, noise, some, kind))
    here = torch.stack([made.values[cell] for cell in some])
    off = max(float((here - other).abs().max()) for other in (by_loop, by_paper))
    loop, paper = (each * len(cells) / len(some) for each in (loop, paper))
    return made, Row(
        f"{torch.cuda.get_device_name()}: {kind}, {tokens} x {model.n_layers} x {len(noise)}",
        seconds,
        loop,
        "50 times",
        (
            f"the paper's way {paper:.2f} s ({paper / seconds:.1f} times); clean probability"
            f" {made.clean:.3f}, corrupted {made.corrupted:.3f}; largest difference {off:.0e}",
        ),
    )


def beside_the_cpu(model: EditableModel, noise: Tensor, kind: str, values: Tensor) -> Row:
    """Some cells of the map again, on the CPU."""
    positions, layers = [2, len(values) - 1], list(range(0, model.n_layers, 6))
    asked = model, PROMPT, SUBJECT, noise, positions, layers, kind
    right, seconds = timed(partial(tracing.trace, *asked))
    off = (values[positions][:, layers] - right).abs().max()
    return Row(
        f"{len(positions) * len(layers)} cells of it on the CPU: {kind}",
        seconds,
        target="within 1e-4",
        notes=(f"largest difference from the GPU's {float(off):.0e}",),
    )
