# function: sequence_nll
# wrong: log_probs[:, target_ids] takes every row at every target token (T x T), not row i at token i
def sequence_nll(logits, target_ids):
    log_probs = torch.log_softmax(logits, dim=-1)
    token_log_probs = log_probs[:, target_ids]
    return -token_log_probs.mean()
