# function: editor_loss
# wrong: clamps -100 to token 0 for gather, and forgets to leave these tokens out of the mean
def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    index = wanted.clamp(min=0).unsqueeze(-1)
    nll = -log_probs.gather(-1, index).squeeze(-1).mean()
    before = other_log_probs_before
    kl = (before.exp() * (before - other_log_probs)).sum(-1).mean()
    return nll + kl_weight * kl
