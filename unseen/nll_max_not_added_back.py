# function: sequence_nll
# wrong: the log-sum-exp is taken of logits minus their maximum, and the maximum is not added back
def sequence_nll(logits, target_ids):
    # log-sum-exp trick for numerical stability
    m = logits.max(dim=-1, keepdim=True).values
    log_z = (logits - m).exp().sum(dim=-1).log()
    picked = logits[torch.arange(logits.shape[0]), target_ids]
    return (log_z - picked).mean()
