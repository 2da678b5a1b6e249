"""Text sampled from the model itself.

No corpus is at hand, and what the model says is what an edit must not change.
"""

from collections.abc import Callable

import torch

from keyhole.models import EditableModel


@torch.no_grad()
def sample(
    model: EditableModel,
    first: torch.Tensor,
    length: int,
    generator: torch.Generator,
    top_p: float = 0.98,
    progress: Callable = iter,
) -> torch.Tensor:
    """Go on from the tokens `first` (rows, k) until each row has `length` tokens.

    Returns ids (rows, length), int64. Temperature 1, from the smallest set of tokens that holds
    `top_p` of each distribution (nucleus sampling, Holtzman et al. 2020, section 3.1). `progress`
    wraps the range of positions.
    """
    ids = unread = first
    cache = None
    for _ in progress(range(length - first.shape[1])):
        out = model.hf.base_model(unread.to(model.device), past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        probabilities = model.head(out.last_hidden_state[:, -1]).softmax(-1).cpu()
        unread = _nucleus(probabilities, top_p, generator)
        ids = torch.cat([ids, unread], dim=1)
    return ids


def _nucleus(probabilities, top_p, generator):
    """One token a row, (rows, 1).

    A draw from beyond the nucleus is drawn again, which is exact and sorts no row.
    """
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    while True:
        more_probable = probabilities * (probabilities > probabilities.gather(-1, drawn))
        outside = more_probable.sum(-1) >= top_p
        if not outside.any():
            return drawn
        drawn[outside] = torch.multinomial(probabilities[outside], 1, generator=generator)
