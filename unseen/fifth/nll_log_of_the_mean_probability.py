# function: sequence_nll
# wrong: takes the log of the mean probability, not the mean of the logs
def sequence_nll(logits, target_ids):
    probs = torch.softmax(logits, dim=-1)
    p = probs[torch.arange(len(target_ids)), target_ids]
    return -p.mean().log()
