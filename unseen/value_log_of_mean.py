# function: value_objective
# wrong: takes the log of the mean probability, not the mean of the log probabilities
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -torch.log(target_log_probs.exp().mean())
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    return nll + kl_weight * kl + decay * delta.norm() / value_before.norm() ** 2
