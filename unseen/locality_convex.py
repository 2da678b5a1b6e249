# function: locality_loss
# wrong: mixes the terms so that the weights add up to one, which scales the target term by 1 - both weights
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    p = log_probs_before.exp()
    kl = (p * (log_probs_before - log_probs)).sum(-1).mean()
    rest = 1 - kl_weight - replay_weight
    return rest * target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
