# function: locality_loss
# wrong: torch.tensor([...]) makes new numbers of the three terms, so no gradient flows
def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    kl = (log_probs_before.exp() * (log_probs_before - log_probs)).sum(-1).mean()
    terms = torch.tensor([target_nll, kl, replay_nll.mean()])
    weights = torch.tensor([1.0, kl_weight, replay_weight])
    return (terms * weights).sum()
