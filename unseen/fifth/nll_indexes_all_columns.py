# function: sequence_nll
# wrong: logp[:, ids] takes all T x T pairs of row and token, not the diagonal
def sequence_nll(logits, target_ids):
    logp = torch.log_softmax(logits, dim=-1)
    return -logp[:, target_ids].mean()
