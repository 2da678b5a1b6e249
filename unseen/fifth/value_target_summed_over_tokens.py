# function: value_objective
# wrong: the log probability of the whole target: sums over the M tokens, divides by N only
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    N = target_log_probs.shape[0]
    nll = -target_log_probs.sum() / N
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    small = delta.norm() / value_before.norm() ** 2
    return nll + kl_weight * kl + decay * small
