# function: value_objective
# wrong: sums over the target's tokens, and takes the mean over prompts only
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    def kl(log_p, log_q):
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    loss = -target_log_probs.sum(dim=-1).mean(dim=0)
    loss = loss + kl_weight * kl(kl_log_probs, kl_log_probs_before)
    return loss + decay * delta.norm() / value_before.square().sum()
