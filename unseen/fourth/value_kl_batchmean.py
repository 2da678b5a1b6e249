# function: value_objective
# wrong: kl_div's "batchmean" takes (V,) for a batch of V, so the KL is divided by V
import torch.nn.functional as F


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    kl = F.kl_div(kl_log_probs_before, kl_log_probs, reduction="batchmean", log_target=True)
    penalty = delta.norm() / value_before.norm() ** 2
    return nll + kl_weight * kl + decay * penalty
