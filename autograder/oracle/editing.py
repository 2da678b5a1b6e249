"""The oracle of the closed form: what the functions of 3_edit.ipynb should give, in float64.

Written apart from the solution notebook, and by another route where there is one.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

from keyhole.models import EditableModel
from keyhole.text import places


def subject_key(
    model: EditableModel, layer: int, prompt: str, subject: str, prefixes: Iterable[str]
) -> Tensor:
    """k*, the mean key over `prefix + prompt` for every prefix: (d_in,), float64. (ROME, eq. 3)

    The other route: the layer's MLP is asked for its input, which is then taken through the parts
    before W by hand; and the subject's last token is found by the letters that tokens cover.
    """
    mlp, given, texts, last = model.mlp(layer), [], [], []
    for prefix in prefixes:
        texts.append(prefix + prompt)
        start = len(prefix) + places(prompt, subject)[-1]
        last.append(_last_token(model, texts[-1], start, start + len(subject)))
    handle = mlp.register_forward_pre_hook(lambda _, args: given.append(args[0]))
    model.run_below(model.batch(model.encode(texts)), layer + 1)
    handle.remove()
    state = given[0].detach()[torch.arange(len(texts)), torch.tensor(last)]
    if hasattr(mlp, "gate_proj"):
        keys = mlp.act_fn(mlp.gate_proj(state)) * mlp.up_proj(state)
    else:
        keys = mlp.act(mlp.c_fc(state))
    return keys.detach().double().mean(0)


def _last_token(model: EditableModel, text: str, start: int, stop: int) -> int:
    """The last of the tokens that cover any of the letters [start, stop)."""
    encoded = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    letters = enumerate(encoded["offset_mapping"])
    return max(i for i, (left, right) in letters if left < stop and right > start)


def second_moment(keys: Tensor) -> Tensor:
    """C, the uncentred second moment of keys (N, d_in): the mean of k kᵀ, (d_in, d_in), float64."""
    keys = keys.double()
    return torch.einsum("ni,nj->ij", keys, keys) / len(keys)


def value_objective(
    target_log_probs: Tensor,
    kl_log_probs: Tensor,
    kl_log_probs_before: Tensor,
    delta: Tensor,
    value_before: Tensor,
    kl_weight: float,
    decay: float,
) -> Tensor:
    """What v* minimises: NLL + kl_weight KL(now ‖ before) + decay |delta| / |v0|². (ROME, eq. 4)

    The NLL is the target's, and the result a float64 scalar. The decay is that of the
    authors' public code; the equation in the paper has none.
    """
    now, before = kl_log_probs.double(), kl_log_probs_before.double()
    return (
        -target_log_probs.double().mean()
        + kl_weight * torch.nn.functional.kl_div(before, now, log_target=True, reduction="sum")
        + decay * delta.double().norm() / value_before.double().square().sum()
    )


def factors(weight: Tensor, moment: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of Ŵ - W = left rightᵀ: left (d_out,), right (d_in,), float64. (ROME, eq. 2)

    The other route: in coordinates where C is the identity (C = L Lᵀ, z = L⁻¹ k*) the nearest
    matrix is an orthogonal projection away. Its change is (v* - W k*) zᵀ / zᵀz, and L⁻ᵀ carries
    that back.
    """
    weight, moment, key, value = weight.double(), moment.double(), key.double(), value.double()
    triangle = torch.linalg.cholesky(moment)
    z = torch.linalg.solve_triangular(triangle, key[:, None], upper=False)
    right = torch.linalg.solve_triangular(triangle.T, z, upper=True).squeeze(1)
    return value - weight @ key, right / z.square().sum()


def rank_one_update(weight: Tensor, moment: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Ŵ: of all matrices with Ŵ k* = v*, the nearest to W as C measures. (ROME, eq. 2)

    (d_out, d_in), float64.
    """
    return weight.double() + torch.outer(*factors(weight, moment, key, value))
