# function: editor_loss
# wrong: takes the mean within each text first, then over texts, so short texts weigh more
def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    texts = []
    for n in range(len(wanted)):
        asked = wanted[n] != -100
        if asked.any():
            rows = log_probs[n][asked]
            tokens = wanted[n][asked]
            texts.append(-rows[torch.arange(len(tokens)), tokens].mean())
    nll = torch.stack(texts).mean()
    p = other_log_probs_before.exp()
    kl = (p * (other_log_probs_before - other_log_probs)).sum(-1).mean()
    return nll + kl_weight * kl
