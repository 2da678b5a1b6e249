"""Is a model computed as the model computes itself? Asked once, when it is loaded.

keyhole/layouts.py tells a model by where its parts are. What a family does between them is its own
affair. So one prompt is put to the whole model, and to its parts.
"""

import torch

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.hooks import Seen, record
from keyhole.messages import problem
from keyhole.packed import SuspendedTree, trees_of
from keyhole.suspended import Suspended

PROMPTS = ("The Eiffel Tower is located in the city of", "The mother tongue of Molière is")
TARGETS = (" Paris", " New York City", " French")
# Of the largest logit: rounding gives 1e-5 and less, another computation 1e-3 and more.
TOLERANCE = 1e-4


@torch.no_grad()
def check_model(model: EditableModel) -> None:
    """Raises KeyholeError where an edit or a measure of this model would be computed wrongly."""
    _check_tokens(model)
    kind = type(model.hf).__name__
    ids = model.encode(PROMPTS)
    length = min(6, model.most_tokens or 6, *map(len, ids))  # of both: nothing is padded
    ids = [tokens[:length] for tokens in ids]
    layer, starts = min(1, model.n_layers - 1), [length // 2, length // 3]
    try:
        with record(model.memory(layer)) as seen, record(model.final_norm) as final:
            right = model.hf(torch.tensor(ids, device=model.device), use_cache=False).logits
        _check_memory(model, layer, seen)
        _check_alike("model_logits", kind, model.logits(final.input[:, -1]), right[:, -1])
        parts = model.logits(Suspended(model, ids, layer, starts).run())
        [tree] = trees_of(ids)
        packed = model.logits(SuspendedTree(model, tree, layer).run())
        for number, (whole, part, start) in enumerate(zip(right, parts, starts)):
            _check_alike("model_parts", kind, part[: length - start], whole[start:])
            _check_alike("model_parts", kind, packed[tree.paths[number]], whole)
    except KeyholeError:
        raise
    # Each family that is built in another way fails in its own way.
    except Exception as error:
        said = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise KeyholeError(problem("model_not_run", kind=kind, error=said)) from None


def _check_tokens(model):
    """Is a prompt's and a target's tokens what the whole text's are?"""
    for prompt in PROMPTS:
        for target in TARGETS:
            [before], [after] = model.encode([prompt]), model.encode_targets([target])
            if [before + after] != model.encode([prompt + target]):
                raise KeyholeError(problem("model_tokens", prompt=prompt, target=target))


def _check_memory(model: EditableModel, layer: int, seen: Seen) -> None:
    """Is what a memory gives out W times what comes in?"""
    bias = model.bias(layer)
    value = seen.input @ model.weight(layer).T + (0 if bias is None else bias)
    if not _off(value, seen.output) <= TOLERANCE:
        raise KeyholeError(problem("model_memory", kind=type(model.hf).__name__))


def _off(got, right):
    """How far two tensors of one shape are apart, as a share of the largest number."""
    if got.shape != right.shape:
        raise ValueError(f"shape {tuple(got.shape)} in the place of {tuple(right.shape)}")
    return float((got - right).abs().max() / right.abs().max().clamp(min=1e-30))


def _check_alike(code, kind, got, right):
    off = _off(got, right)
    if not off <= TOLERANCE:  # NaN too
        raise KeyholeError(problem(code, kind=kind, off=f"{100 * off:.2g}"))
