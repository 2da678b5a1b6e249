# function: efficacy
# wrong: // is integer division, so the share is 0 unless all probes are won
def efficacy(nll_true, nll_new):
    wins = (nll_new < nll_true).sum()
    return wins // len(nll_true)
