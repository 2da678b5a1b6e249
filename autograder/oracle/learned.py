"""The oracle of 5_learn_to_edit.ipynb: editors that are learned, in float64, by other routes.

Of a linear layer with a weight (d_out, d_in): `inputs` (..., d_in) are what went into it, and
`output_grads` (..., d_out) the derivatives of the loss by what came out.
"""

import math

import torch
from torch import Tensor


def gradient_from_factors(inputs: Tensor, output_grads: Tensor) -> Tensor:
    """The loss's derivative by the weight (d_out, d_in): the sum of δ uᵀ over texts and tokens.

    inputs (N, T, d_in), output_grads (N, T, d_out). The other route: autograd, on a layer whose
    outputs have these derivatives.
    """
    weight = torch.zeros(
        output_grads.shape[-1], inputs.shape[-1], dtype=torch.float64, requires_grad=True
    )
    with torch.enable_grad():
        outputs = torch.nn.functional.linear(inputs.double(), weight)
        [gradient] = torch.autograd.grad(outputs, weight, output_grads.double())
    return gradient


def editor_parameters(kind: str, d_out: int, d_in: int, rank: int) -> Tensor:
    """How many parameters an editor of one weight (d_out, d_in) has: a scalar, float64.

    "full": a linear map from the gradient to the change. "diagonal": a rate for each weight.
    "rows": a rate for each row. "factors": MEND's two matrices, of (δ, u) to `rank` and back,
    without biases. The other route: the sizes of the weights themselves.
    """
    numbers = d_out * d_in
    shapes = {
        "full": [(numbers, numbers)],
        "diagonal": [(d_out, d_in)],
        "rows": [(d_out,)],
        "factors": [(rank, d_in + d_out), (d_in + d_out, rank)],
    }
    return torch.tensor(float(sum(math.prod(shape) for shape in shapes[kind]))).double()


def rate_update(gradient: Tensor, rates: Tensor) -> Tensor:
    """The change (d_out, d_in) of a step against the gradient, with rates of rows or of weights.

    rates: (d_out,), one for each row, or (d_out, d_in). The other route: row by row.
    """
    rows = [-rate * row for rate, row in zip(rates.double(), gradient.double())]
    return torch.stack(rows)


def transform_factors(
    inputs: Tensor, output_grads: Tensor, mean: Tensor, scale: Tensor, down: Tensor, up: Tensor
) -> Tensor:
    """MEND's new factors (T, d_in + d_out) of each token: ẑ + up relu(down ẑ). (MEND, eq. 5)

    ẑ is z = (u, δ), less `mean` and divided by `scale`, both (d_in + d_out,). down: (rank,
    d_in + d_out); up: (d_in + d_out, rank). The other route: token by token.
    """
    mean, scale, down, up = (each.double() for each in (mean, scale, down, up))
    rows = []
    for u, delta in zip(inputs.double(), output_grads.double()):
        normed = (torch.cat([u, delta]) - mean) / scale
        hidden = torch.einsum("ri,i->r", down, normed).clamp(min=0)
        rows.append(torch.addmv(normed, up, hidden))
    return torch.stack(rows)


def low_rank_output(
    outputs: Tensor, keys: Tensor, inputs: Tensor, output_grads: Tensor, rate: float | Tensor
) -> Tensor:
    """What a layer gives out (..., d_out) after W has become W - rate Σ δ uᵀ.

    outputs (..., d_out): what it gives out before, for keys (..., d_in). inputs (T, d_in) and
    output_grads (T, d_out) are the factors. The other route: term by term.
    """
    new, keys = outputs.double(), keys.double()
    for u, delta in zip(inputs.double(), output_grads.double()):
        new = new - rate * (keys * u).sum(-1, keepdim=True) * delta
    return new


def editor_loss(
    log_probs: Tensor,
    wanted: Tensor,
    other_log_probs: Tensor,
    other_log_probs_before: Tensor,
    kl_weight: float,
) -> Tensor:
    """The mean NLL of the wanted tokens + kl_weight KL(before ‖ now) of other prompts: a scalar.

    log_probs (N, T, V): of the next token after each token. wanted (N, T): which token that should
    be; -100 where none is asked for. other_log_probs, other_log_probs_before (M, V). The other
    route: token by token.
    """
    nll = [
        -log_probs[text, token, wanted[text, token]].double()
        for text, token in (wanted >= 0).nonzero().tolist()
    ]
    now, before = other_log_probs.double(), other_log_probs_before.double()
    divergence = torch.nn.functional.kl_div(now, before, log_target=True, reduction="batchmean")
    return torch.stack(nll).mean() + kl_weight * divergence
