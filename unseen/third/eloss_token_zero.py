# function: editor_loss
# wrong: the mask wanted > 0 also drops the ordinary token 0
def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    asked = wanted > 0                              # not -100
    picked = log_probs[asked].gather(-1, wanted[asked][:, None])
    kl = (other_log_probs_before.exp() * (other_log_probs_before - other_log_probs)).sum(-1)
    return -picked.mean() + kl_weight * kl.mean()
