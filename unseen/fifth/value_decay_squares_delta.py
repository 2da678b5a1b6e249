# function: value_objective
# wrong: squares the norm of delta as well, as in usual weight decay
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    say = -target_log_probs.mean()
    stay = torch.sum(torch.exp(kl_log_probs) * (kl_log_probs - kl_log_probs_before))
    small = delta.square().sum() / value_before.square().sum()
    return say + kl_weight * stay + decay * small
