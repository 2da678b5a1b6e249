# function: value_objective
# wrong: divides delta by v0 squared element by element and takes the norm afterwards
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    loss = -target_log_probs.mean()
    loss = loss + kl_weight * (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
    loss = loss + decay * torch.norm(delta / value_before ** 2)
    return loss
