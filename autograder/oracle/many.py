"""The oracle of 4_scale.ipynb: many edits at once, in float64, by another route than the solution.

Keys and values of N facts are rows: (N, d_in) and (N, d_out).
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def demonstrations(key: Tensor, keys: Tensor, kinds: Sequence[int]) -> Tensor:
    """Which facts stand before a new one, and as which kind: rows (fact, kind), (D, 2), int64.

    The fact most like the new one (by the cosine of key (d_in,) with keys (N, d_in)) stands last
    and shows kinds[0], the next one before it kinds[1]. D is the smaller of N and len(kinds).
    (IKE, section 3.2)
    """
    key, keys = key.double(), keys.double()
    cosines = [float(torch.dot(key, each) / (key.norm() * each.norm())) for each in keys]
    nearest = sorted(range(len(keys)), key=lambda fact: -cosines[fact])
    rows = list(zip(nearest, kinds))
    return torch.tensor(rows[::-1]).reshape(-1, 2)


def locality_loss(
    target_nll: Tensor,
    log_probs: Tensor,
    log_probs_before: Tensor,
    replay_nll: Tensor,
    kl_weight: float,
    replay_weight: float,
) -> Tensor:
    """Target NLL + kl_weight KL(before ‖ now) + replay_weight NLL of own answers: a scalar.

    target_nll: a scalar. log_probs, log_probs_before (N, V): of the next token after N other
    prompts. replay_nll (M,): of M texts that the model said before. Both are means over texts.
    """
    now, before = log_probs.double(), log_probs_before.double()
    divergence = torch.nn.functional.kl_div(now, before, log_target=True, reduction="batchmean")
    return target_nll.double() + kl_weight * divergence + replay_weight * replay_nll.double().mean()


def scaled_change(before: Tensor, after: Tensor, scale: float) -> Tensor:
    """`before`, and `scale` times the change that training made of it. (Task vectors)"""
    return torch.lerp(before.double(), after.double(), scale)


def memit_update(
    weight: Tensor, moment: Tensor, keys: Tensor, values: Tensor, weight_of_old: float
) -> Tensor:
    """Ŵ (d_out, d_in), which minimises λ tr(D C Dᵀ) + |Ŵ K - V|² with D = Ŵ - W. (MEMIT, eq. 14)

    The other route, by Woodbury: with A = C⁻¹K and G = KᵀA the change is R (λI + G)⁻¹ Aᵀ, a system
    of the size of the number of facts.
    """
    weight, moment = weight.double(), moment.double()
    keys, values = keys.double(), values.double()
    triangle = torch.linalg.cholesky(moment)
    solved = torch.cholesky_solve(keys.T, triangle)  # A (d_in, N)
    small = weight_of_old * torch.eye(len(keys), dtype=torch.float64) + keys @ solved
    residual = values - keys @ weight.T  # (N, d_out)
    return weight + residual.T @ torch.linalg.solve(small, solved.T)


def spread_residual(targets: Tensor, states: Tensor, layer: int, layers: Sequence[int]) -> Tensor:
    """What `layer` adds to the states (N, d) on their way to the targets (N, d). (MEMIT, eq. 20)

    layers: those that are edited, in ascending order. Each takes an equal share of what is left.
    """
    to_come = sum(each >= layer for each in layers)
    return torch.lerp(states.double(), targets.double(), 1 / to_come) - states.double()


def null_space_projector(moment: Tensor, threshold: float) -> Tensor:
    """P (d_in, d_in), onto the directions in which C has eigenvalues below `threshold`.

    The other route: by singular values, which are the eigenvalues of such a C. (AlphaEdit, 3.2)
    """
    _, values, directions = torch.linalg.svd(moment.double())
    small = directions[values < threshold]
    return small.T @ small


def alphaedit_update(
    weight: Tensor,
    projector: Tensor,
    keys: Tensor,
    values: Tensor,
    earlier_keys: Tensor,
    ridge: float,
) -> Tensor:
    """Ŵ (d_out, d_in), whose change lies in the null space P. (AlphaEdit, eq. 14)

    earlier_keys (M, d_in): of facts that are edited already; M may be 0. The other route: the
    earlier keys are edited along, with a residual of zero, in a system as large as there are facts.
    """
    weight, projector = weight.double(), projector.double()
    every = torch.cat([earlier_keys.double(), keys.double()]) @ projector
    residual = values.double() - keys.double() @ weight.T
    residual = torch.cat([residual.new_zeros(len(earlier_keys), len(weight)), residual])
    small = every @ every.T + ridge * torch.eye(len(every), dtype=torch.float64)
    return weight + residual.T @ torch.linalg.solve(small, every)


def one_after_the_other(weight: Tensor, moment: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Ŵ (d_out, d_in) after ROME on each fact in turn, with the same C every time."""
    new, solved = weight.double(), torch.linalg.solve(moment.double(), keys.double().T).T
    for key, value, direction in zip(keys.double(), values.double(), solved):
        new = new + torch.outer(value - new @ key, direction) / (direction @ key)
    return new
