"""Wrong results for the functions of 1_measure.ipynb: {misconception: what it gives}, in float64.

A wrong result that happens to equal the right one is left out: of a target of one token, say, or
where there are no ties.
"""

import torch
from torch import Tensor

from autograder.oracle import measuring
from keyhole.checking.judging import told_apart

EPSILONS = [10.0**-power for power in range(5, 16)] + [torch.finfo(torch.float32).eps]
NEAR_ZERO = 0.05  # shares below that some take for 0
EXPONENT = 88  # exp() of more is infinite in float32

Results = dict[str, Tensor]


def sequence_nll(logits: Tensor, target_ids: Tensor) -> Results:
    """Wrong likelihoods: of other tokens, put together otherwise, or no likelihoods at all."""
    logits, count = logits.double(), len(target_ids)
    log_probs, tokens = logits.log_softmax(-1), torch.arange(count)
    right, each = measuring.sequence_nll(logits, target_ids), -log_probs[tokens, target_ids]
    wrongs = {
        "nll_summed": each.sum(),
        "likelihood_not_negated": -right,
        "nll_of_mean_probability": -(-each).exp().mean().log(),
        "nll_of_product": (-each.sum()).exp(),
        "nll_as_probability": (-right).exp(),
        "nll_as_perplexity": right.exp(),
        "nll_in_bits": right / torch.tensor(2.0, dtype=torch.float64).log(),
        "softmax_missing": -logits[tokens, target_ids].mean(),
        "softmax_twice": -log_probs.exp().log_softmax(-1)[tokens, target_ids].mean(),
        "softmax_over_tokens": -logits.log_softmax(0)[tokens, target_ids].mean(),
        "nll_of_first_token": each[0],
        "nll_of_last_token": each[-1],
        "nll_all_pairs": -log_probs[:, target_ids].mean(),
        "nll_of_best_token": -log_probs.max(-1).values.mean(),
        "nll_over_vocabulary:too": each.sum() / log_probs.shape[1] / count,
        "nll_over_vocabulary:alone": each.sum() / log_probs.shape[1],
        "logarithm_missing": -each.neg().exp().mean(),
    }
    probabilities = log_probs.exp()[tokens, target_ids]
    for epsilon in EPSILONS:
        wrongs[f"epsilon_in_log:{epsilon}"] = -(probabilities + epsilon).log().mean()
    if logits.max() > EXPONENT:
        wrongs["exponential_overflows"] = torch.tensor(torch.inf, dtype=torch.float64)
    wrongs |= _repeated_once(target_ids, each, log_probs)
    if count > 1:
        wrongs |= {
            "nll_per_token": each,
            "one_row_for_all:first": -log_probs[0, target_ids].mean(),
            "one_row_for_all:last": -log_probs[-1, target_ids].mean(),
            "first_token_skipped": each[1:].mean(),
            **_padding(target_ids, each, log_probs.shape[1]),
            "row_too_late": -log_probs[tokens[1:], target_ids[:-1]].mean(),
            "row_too_early": -log_probs[tokens[:-1], target_ids[1:]].mean(),
        }
    return told_apart(wrongs, right)


def _padding(target_ids: Tensor, each: Tensor, vocabulary: int) -> Results:
    """Means that leave a token of the target out, since its id looks like padding."""
    wrongs = {}
    for token in {0, 1, 2, vocabulary - 1} & set(target_ids.tolist()):
        rest = each[target_ids != token]
        if len(rest):
            wrongs[f"token_taken_for_padding:{token}"] = rest.mean()
        wrongs[f"token_taken_for_padding:{token} of all"] = rest.sum() / len(each)
    return wrongs


def _repeated_once(target_ids: Tensor, each: Tensor, log_probs: Tensor) -> Results:
    """Means that count a token once, at its last place or at its first; `each` NLL is a token's.

    Or the tokens that are left stand in the first rows.
    """
    ids = target_ids.tolist()
    if len(set(ids)) == len(ids):
        return {}
    forwards, left = range(len(ids)), target_ids.unique_consecutive()
    first_rows = {
        "repeated_token_once:first rows": -log_probs[torch.arange(len(left)), left].mean()
    }
    return first_rows | {
        f"repeated_token_once:{which}": torch.stack(
            list({ids[place]: each[place] for place in places}.values())
        ).mean()
        for which, places in (("last", forwards), ("first", forwards[::-1]))
    }


def _shares(wanted: Tensor, rival: Tensor) -> Results:
    """Wrong shares of the probes on which `wanted`, an NLL, should be the smaller one."""
    count, won, tied = len(wanted), (wanted < rival).double(), (wanted == rival).double()
    wrongs = {
        "tie_counts": (won + tied).mean(),
        "tie_counts_half": (won + tied / 2).mean(),
        "ties_left_out": won.sum() / (count - tied.sum()).clamp(min=1),
        "counted_not_shared": won.sum(),
        "share_in_percent": 100 * won.mean(),
        "one_verdict_for_all": (wanted.mean() < rival.mean()).double(),
        "all_or_nothing": won.min(),
        "difference_not_share": (rival - wanted).mean(),
        "probability_difference": ((-wanted).exp() - (-rival).exp()).mean(),
    }
    return wrongs | ({"share_per_probe": won} if count > 1 else {})


def efficacy(nll_true: Tensor, nll_new: Tensor) -> Results:
    """Wrong efficacies: in what a tie counts, in the direction, or no share at all."""
    true, new = nll_true.double(), nll_new.double()
    wrongs = _shares(new, true) | {"efficacy_reversed": (new > true).double().mean()}
    return told_apart(wrongs, measuring.efficacy(nll_true, nll_new))


def neighborhood(nll_true: Tensor, nll_new: Tensor) -> Results:
    """Wrong neighborhoods: in what a tie counts, in the direction, or no share at all."""
    true, new = nll_true.double(), nll_new.double()
    wrongs = _shares(true, new) | {"neighborhood_reversed": (new < true).double().mean()}
    return told_apart(wrongs, measuring.neighborhood(nll_true, nll_new))


def near_ties(nll_true: Tensor, nll_new: Tensor) -> Results:
    """Wrong shares where all differences are small: they count as ties, or rounding hides them."""
    wrongs = {"near_tie:any": torch.zeros((), dtype=torch.float64)}
    for decimals in (1, 2, 3):
        true, new = nll_true.round(decimals=decimals), nll_new.round(decimals=decimals)
        wrongs |= {
            f"near_tie:new {decimals}": (new < true).double().mean(),
            f"near_tie:true {decimals}": (true < new).double().mean(),
        }
    return wrongs


def edit_score(efficacy: float, paraphrase: float, neighborhood: float) -> Results:
    """Wrong scores: another mean, or one that a zero breaks."""
    parts = torch.tensor([efficacy, paraphrase, neighborhood], dtype=torch.float64)
    above, right = parts[parts > 0], measuring.edit_score(efficacy, paraphrase, neighborhood)
    wrongs = {
        "mean_arithmetic": parts.mean(),
        "mean_geometric": parts.prod() ** (1 / 3),
        "paraphrase_left_out": 2 / (1 / parts[[0, 2]]).sum(),
        "score_lowest": parts.min(),
        "score_product": parts.prod(),
        "harmonic_without_count": right / 3,
        "score_in_percent": 100 * right,
    }
    if len(above) == 3:
        for first, second, last in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
            pair = 2 / (1 / parts[first] + 1 / parts[second])
            wrongs[f"harmonic_pairwise:{last}"] = 2 / (1 / pair + 1 / parts[last])
    if 0 < len(above) < 3:
        wrongs["zero_left_out"] = len(above) / (1 / above).sum()
    if len(above) == 3:
        wrongs["harmonic_inverted"] = (1 / parts).mean()
    if 0 < parts.min() < NEAR_ZERO:
        clear = parts[parts >= NEAR_ZERO]
        wrongs["near_zero_for_zero"] = torch.zeros((), dtype=torch.float64)
        if len(clear):
            wrongs["near_zero_for_zero:left out"] = len(clear) / (1 / clear).sum()
    return told_apart(wrongs, right)
