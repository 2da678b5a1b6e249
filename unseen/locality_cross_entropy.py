# function: locality_loss
# wrong: uses the cross-entropy and leaves out the entropy of what the model said before, so the term is not 0 where nothing changed
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    keep = -(log_probs_before.exp() * log_probs).sum(dim=-1).mean()
    return target_nll + kl_weight * keep + replay_weight * replay_nll.mean()
