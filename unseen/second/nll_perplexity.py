# function: sequence_nll
# wrong: gives the perplexity, exp of the mean NLL, as evaluation scripts print it
def sequence_nll(logits, target_ids):
    loss = torch.nn.functional.cross_entropy(logits, target_ids)
    return loss.exp()
