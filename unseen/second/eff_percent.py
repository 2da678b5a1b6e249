# function: efficacy
# wrong: gives percent, from 0 to 100
def efficacy(nll_true, nll_new):
    wins = (nll_new < nll_true).float()
    return 100 * wins.mean()
