# function: locality_loss
# wrong: axes swapped: sums the divergence over the prompts and takes the mean over the vocabulary
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    p = log_probs_before.exp()
    kl = (p * (log_probs_before - log_probs)).sum(0).mean()
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
