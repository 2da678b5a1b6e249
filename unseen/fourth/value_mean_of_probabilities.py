# function: value_objective
# wrong: averages probabilities over the prefixes before the log, not log probabilities
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    # first the mean over the prefixes, then the NLL of each target token
    probabilities = target_log_probs.exp().mean(dim=0)
    nll = -probabilities.log().mean()
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    return nll + kl_weight * kl + decay * delta.norm() / value_before.norm().square()
