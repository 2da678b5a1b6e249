# function: efficacy
# wrong: takes the mean of a bool tensor, which torch refuses (numpy would do it)
def efficacy(nll_true, nll_new):
    return torch.mean(nll_new < nll_true)
