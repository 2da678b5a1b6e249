# function: value_objective
# wrong: takes |delta| for the sum of absolute values; it is the Euclidean length
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    kl = torch.sum(torch.exp(kl_log_probs) * (kl_log_probs - kl_log_probs_before))
    reg = delta.abs().sum() / (value_before ** 2).sum()
    return nll + kl_weight * kl + decay * reg
