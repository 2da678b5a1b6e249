# function: value_objective
# wrong: the divergence is computed under no_grad, so it counts in the loss but no gradient comes from it
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    nll = -target_log_probs.mean()
    with torch.no_grad():
        p = kl_log_probs.exp()
        kl = (p * (kl_log_probs - kl_log_probs_before)).sum()
    return nll + kl_weight * kl + decay * delta.norm() / value_before.norm().pow(2)
