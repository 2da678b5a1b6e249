# function: value_objective
# wrong: batchmean on a vector (V,) divides the divergence by the size of the vocabulary
import torch.nn.functional as F


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll_loss = -target_log_probs.mean()
    kl_loss = kl_weight * F.kl_div(
        kl_log_probs_before, kl_log_probs, log_target=True, reduction="batchmean"
    )
    weight_decay = decay * (torch.norm(delta) / torch.norm(value_before) ** 2)
    return nll_loss + kl_loss + weight_decay
