"""The oracle of the measures: what the functions of 1_measure.ipynb should give, in float64.

Written apart from the solution notebook, and by another route where there is one.
"""

import math

import torch
from torch import Tensor


def sequence_nll(logits: Tensor, target_ids: Tensor) -> Tensor:
    """Mean negative log-likelihood of a target, in nats: a float64 scalar; gradients flow.

    Row i of logits (T, V) predicts token i of target_ids (T,).
    The other route: the log-likelihood is how far the target's logit is below the log-sum-exp.
    """
    return token_nlls(logits, target_ids).sum() / len(target_ids)


def token_nlls(logits: Tensor, target_ids: Tensor) -> Tensor:
    """The negative log-likelihood of each token of a target: (T,), float64. See `sequence_nll`."""
    logits = logits.double()
    chosen = torch.stack(
        [row[token] for row, token in zip(logits, target_ids.tolist(), strict=True)]
    )
    highest = logits.detach().max(dim=1, keepdim=True).values
    total = highest.squeeze(1) + (logits - highest).exp().sum(1).log()
    return total - chosen


def efficacy(nll_true: Tensor, nll_new: Tensor) -> Tensor:
    """The share of probes on which the new target is strictly more probable. (ROME, 3.4)

    For NLLs (N,), (N,); a float64 scalar.
    """
    return _share(nll_new.tolist(), nll_true.tolist())


def neighborhood(nll_true: Tensor, nll_new: Tensor) -> Tensor:
    """The share of neighbors on which the true answer is strictly more probable. (ROME, 3.4)

    For NLLs (N,), (N,); a float64 scalar.
    """
    return _share(nll_true.tolist(), nll_new.tolist())


def _share(wanted: list[float], rival: list[float]) -> Tensor:
    won = sum(1 for ours, theirs in zip(wanted, rival, strict=True) if ours < theirs)
    return torch.tensor(won / len(wanted), dtype=torch.float64)


def edit_score(efficacy: float, paraphrase: float, neighborhood: float) -> Tensor:
    """S, the harmonic mean of three shares, 0 if any is 0: a float64 scalar. (ROME, 3.4)

    The other route: three times the product over the sum of the products of two.
    """
    below = math.fsum((efficacy * paraphrase, paraphrase * neighborhood, efficacy * neighborhood))
    score = 3 * efficacy * paraphrase * neighborhood / below if below else 0.0
    return torch.tensor(score, dtype=torch.float64)
