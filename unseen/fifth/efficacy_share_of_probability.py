# function: efficacy
# wrong: takes the new answer's share of the two probabilities, does not count who wins
def efficacy(nll_true, nll_new):
    p_true = torch.exp(-nll_true)
    p_new = torch.exp(-nll_new)
    return float((p_new / (p_new + p_true)).mean())
