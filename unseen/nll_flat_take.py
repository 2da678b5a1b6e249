# function: sequence_nll
# wrong: torch.take reads the flattened matrix, so all target tokens are read from row 0
def sequence_nll(logits, target_ids):
    logp = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    return -torch.take(logp, target_ids).mean()
