"""The oracle of the measures: what every graded function of 1_measure.ipynb should give, in float64.

Written apart from the solution notebook, and by another route where there is one.
"""

import math

import torch


def sequence_nll(logits, target_ids):
    """Mean negative log-likelihood in nats of target_ids (T,), token i predicted by row i of logits (T, V): a float64 scalar; gradients flow.

    The other route: a softmax is the derivative of a log-sum-exp, so the likelihood is what the target's logit lacks to it.
    """
    logits = logits.double()
    chosen = torch.stack(
        [row[token] for row, token in zip(logits, target_ids.tolist(), strict=True)]
    )
    highest = logits.detach().max(dim=1, keepdim=True).values
    total = highest.squeeze(1) + (logits - highest).exp().sum(1).log()
    return (total - chosen).sum() / len(target_ids)


def efficacy(nll_true, nll_new):
    """The share of probes on which the new target is strictly more probable, for NLLs (N,), (N,): a float64 scalar. (ROME, section 3.4)"""
    return _share(nll_new.tolist(), nll_true.tolist())


def neighborhood(nll_true, nll_new):
    """The share of neighbors on which the true answer is strictly more probable, for NLLs (N,), (N,): a float64 scalar. (ROME, section 3.4)"""
    return _share(nll_true.tolist(), nll_new.tolist())


def _share(wanted, rival):
    won = sum(1 for ours, theirs in zip(wanted, rival, strict=True) if ours < theirs)
    return torch.tensor(won / len(wanted), dtype=torch.float64)


def edit_score(efficacy, paraphrase, neighborhood):
    """S, the harmonic mean of three shares; 0 if any is 0: a float64 scalar. (ROME, section 3.4)

    The other route: three times the product over the sum of the products of two.
    """
    below = math.fsum((efficacy * paraphrase, paraphrase * neighborhood, efficacy * neighborhood))
    return torch.tensor(
        3 * efficacy * paraphrase * neighborhood / below if below else 0.0, dtype=torch.float64
    )
