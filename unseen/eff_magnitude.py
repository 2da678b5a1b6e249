# function: efficacy
# wrong: this is ROME's efficacy magnitude (EM), the mean difference of the probabilities, not the share of wins (ES)
def efficacy(nll_true, nll_new):
    p_true, p_new = torch.exp(-nll_true), torch.exp(-nll_new)
    return (p_new - p_true).mean()
