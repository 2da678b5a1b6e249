# function: value_objective
# wrong: keeps the whole value v0 + delta small, not delta
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    value = value_before + delta
    nll = -target_log_probs.mean()
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    return nll + kl_weight * kl + decay * value.norm() / value_before.norm() ** 2
