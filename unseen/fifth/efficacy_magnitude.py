# function: efficacy
# wrong: mean difference of the probabilities (ROME's EM) instead of the share of wins
def efficacy(nll_true, nll_new):
    p_true, p_new = torch.exp(-nll_true), torch.exp(-nll_new)
    return (p_new - p_true).mean()
