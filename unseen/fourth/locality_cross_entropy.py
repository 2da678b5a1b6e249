# function: locality_loss
# wrong: cross-entropy with the old distribution (distillation), without its entropy, for the KL
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    teacher = log_probs_before.exp().detach()
    distill = -(teacher * log_probs).sum(dim=-1).mean()
    return target_nll + kl_weight * distill + replay_weight * replay_nll.mean()
