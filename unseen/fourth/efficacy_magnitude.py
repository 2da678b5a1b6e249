# function: efficacy
# wrong: ROME's efficacy magnitude, the mean difference of probabilities, not the share of wins
def efficacy(nll_true, nll_new):
    p_true = torch.exp(-nll_true)
    p_new = torch.exp(-nll_new)
    return (p_new - p_true).mean()
