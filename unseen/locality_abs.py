# function: locality_loss
# wrong: takes the absolute value of each term of the divergence before summing, since "a divergence is never negative"
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    pointwise = log_probs_before.exp() * (log_probs_before - log_probs).abs()
    kl = pointwise.sum(-1).mean()
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
