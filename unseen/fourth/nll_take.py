# function: sequence_nll
# wrong: Tensor.take indexes the flattened (T, V) matrix, so every target is looked up in row 0
def sequence_nll(logits, target_ids):
    log_probs = torch.log_softmax(logits, dim=-1)
    picked = log_probs.take(target_ids)         # one log probability for each target token
    return -picked.mean()
