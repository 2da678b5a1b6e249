# function: value_objective
# wrong: P_now is kl_div's "target", and is detached: the value is right, the KL has no gradient
import torch.nn.functional as F


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    # kl_div(input, target) is KL(target || input); a target needs no gradient
    kl = F.kl_div(kl_log_probs_before, kl_log_probs.detach(), reduction="sum", log_target=True)
    size = delta.norm() / value_before.norm().square()
    return nll + kl_weight * kl + decay * size
