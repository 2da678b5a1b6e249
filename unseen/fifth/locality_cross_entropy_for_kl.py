# function: locality_loss
# wrong: the cross entropy of before and now in the place of the divergence (entropy left out)
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    p_before = log_probs_before.exp()
    kl = -(p_before * log_probs).sum(dim=-1).mean()
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
