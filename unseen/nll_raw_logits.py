# function: sequence_nll
# wrong: F.nll_loss expects log probabilities, but gets the raw logits
import torch.nn.functional as F

def sequence_nll(logits, target_ids):
    # negative log-likelihood, averaged over the tokens
    return F.nll_loss(logits, target_ids)
