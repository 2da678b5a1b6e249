# function: sequence_nll
# wrong: gathers with ids of shape (1, T), so every token is looked up in row 0
def sequence_nll(logits, target_ids):
    log_probs = torch.log_softmax(logits, dim=-1)
    picked = log_probs.gather(1, target_ids.unsqueeze(0))
    return -picked.mean()
