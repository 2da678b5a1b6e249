# function: value_objective
# wrong: kl_div's default reduction is the mean over all entries, so the divergence is divided by the vocabulary size
import torch.nn.functional as F


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    kl = F.kl_div(kl_log_probs_before, kl_log_probs, log_target=True)
    weight_decay = delta.norm() / value_before.norm() ** 2
    return nll + kl_weight * kl + decay * weight_decay
