# function: value_objective
# wrong: the first term is minus the mean probability of the target, without a logarithm
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    say = -target_log_probs.exp().mean()
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    small = delta.norm() / value_before.norm() ** 2
    return say + kl_weight * kl + decay * small
