# function: sequence_nll
# wrong: gather with the ids as one row (1, T) reads every target from the first row of logits
def sequence_nll(logits, target_ids):
    log_probs = logits.log_softmax(dim=-1)
    return -log_probs.gather(1, target_ids[None]).mean()
