# function: efficacy
# wrong: averages the new answer's share of the two probabilities instead of counting wins
def efficacy(nll_true, nll_new):
    # P(new) / (P(new) + P(true)), written stably
    return torch.sigmoid(nll_true - nll_new).mean()
