# function: value_objective
# wrong: the norm of the squared entries instead of the square of the norm of v0
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    kl = (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    size = torch.norm(delta) / torch.norm(value_before ** 2)
    return nll + kl_weight * kl + decay * size
