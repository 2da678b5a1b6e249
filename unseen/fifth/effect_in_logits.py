# function: indirect_effect
# wrong: difference of logits, as patching libraries take it, not of probabilities
def indirect_effect(restored, corrupted):
    return (torch.logit(restored) - torch.logit(corrupted)).mean()
