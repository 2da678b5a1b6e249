# function: locality_loss
# wrong: the replay term stands inside the brackets of kl_weight, so it is weighed by both
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    kl = (log_probs_before.exp() * (log_probs_before - log_probs)).sum(-1).mean()
    keep = kl + replay_weight * replay_nll.mean()
    return target_nll + kl_weight * keep
