# function: sequence_nll
# wrong: unpacks the shape as (V, T), so the sum is divided by the vocabulary size and not by T
def sequence_nll(logits, target_ids):
    V, T = logits.shape
    log_probs = logits.log_softmax(-1)
    total = 0
    for row, token in zip(log_probs, target_ids):
        total = total - row[token]
    return total / T
