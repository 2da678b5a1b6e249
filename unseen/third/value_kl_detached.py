# function: value_objective
# wrong: detaches P(now) in the divergence: the value is right, its gradient is not
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    weights = kl_log_probs.exp().detach()           # only weights of the mean: no gradient here
    kl = (weights * (kl_log_probs - kl_log_probs_before.detach())).sum()
    return nll + kl_weight * kl + decay * delta.norm() / value_before.norm() ** 2
