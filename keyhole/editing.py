"""One whole edit with functions that somebody else wrote, and C for another layer or model.

keyhole solves no blank: the key, the objective, the closed form and the second moment come from a
notebook.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from keyhole.checking.functions import result_of
from keyhole.errors import KeyholeError
from keyhole.messages import problem, word
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.moments import load_text, moment_over
from keyhole.values import Rewrite, optimise_value


@dataclass(frozen=True)
class Edit:
    """What an edit came to. The caller applies it: `with model.edited(layer, edit.change)`."""

    change: torch.Tensor  # Ŵ - W (d_out, d_in)
    moved: float  # |Ŵ - W| / |W|
    losses: tuple[float, ...]  # of the search for v*, in nats
    seconds: dict[str, float]  # of each part


def make_edit(
    model: EditableModel,
    layer: int,
    rewrite: Rewrite,
    moment: torch.Tensor,
    functions: Mapping[str, Callable],
    progress: Callable = iter,
) -> Edit:
    """Edit one fact by ROME, with `functions` subject_key, value_objective and rank_one_update.

    moment: (d_in, d_in), C of that layer. `progress` wraps the steps of the search for v*. Nothing
    in the model changes. Raises KeyholeError where a function's result cannot be used.
    """
    weight, seconds, clock = model.weight(layer).detach(), {}, time.perf_counter()

    def done(part):
        nonlocal clock
        now = time.perf_counter()
        seconds[part], clock = now - clock, now

    about = rewrite.prompt, rewrite.subject, rewrite.prefixes
    key = functions["subject_key"](model, layer, *about)
    key = result_of("subject_key", key, weight.shape[1:], word("key"), weight.device).to(weight)
    done("k*")
    objective = functions["value_objective"]
    value = optimise_value(model, layer, rewrite, objective, progress=progress)
    done("v*")
    new = functions["rank_one_update"](weight.clone(), moment.to(weight), key, value.value)
    new = result_of("rank_one_update", new, weight.shape, word("new_weight"), weight.device)
    change = new.double() - weight.double()
    done("Ŵ")
    return Edit(change.to(weight), float(change.norm() / weight.norm()), value.losses, seconds)


# ---------------------------------------------------------------- C for another layer or model


def text_for(model: EditableModel, name: str) -> torch.Tensor:
    """The kit's text in the tokens of `model`, whose name is `name`: ids (sequences, tokens).

    Where the tokens differ from those of the kit's model, the pieces are joined and cut anew.
    """
    ids = load_text()
    if name == DEFAULT_MODEL:
        return ids
    from transformers import AutoTokenizer  # late: it takes seconds, and few calls come here

    from keyhole.fetch import fetch

    spoken = AutoTokenizer.from_pretrained(fetch(), local_files_only=True)
    pieces = model.encode_targets(spoken.batch_decode(ids))
    tokens = [token for piece in pieces for token in piece]
    front, most = model.front, model.most_tokens
    length = min(ids.shape[1], most or ids.shape[1]) - len(front)
    rows = torch.tensor(tokens[: len(tokens) // length * length]).view(-1, length)
    return torch.cat([torch.tensor(front, dtype=rows.dtype).expand(len(rows), -1), rows], dim=1)


def mean_moment(
    model: EditableModel,
    layer: int,
    ids: torch.Tensor,
    second_moment: Callable,
    progress: Callable = iter,
) -> torch.Tensor:
    """C of `layer` over the tokens `ids` (sequences, tokens), as a mean over tokens: (d_in, d_in).

    `second_moment` may sum or take the mean. Raises KeyholeError where it does neither.
    """

    def moment_of(keys):
        shape = (keys.shape[1],) * 2
        return result_of("second_moment", second_moment(keys), shape, word("moment"), keys.device)

    for_two_ones = float(moment_of(torch.ones(2, 3))[0, 0])
    if for_two_ones not in (1, 2):
        raise KeyholeError(problem("neither_mean_nor_sum"))

    def total(keys):
        return moment_of(keys).double() * (len(keys) if for_two_ones == 1 else 1)

    return moment_over(model, layer, ids, total, progress) / ids.numel()
