# function: efficacy
# wrong: compares the two mean NLLs once, in place of each probe with its own rival
def efficacy(nll_true, nll_new):
    return float(nll_new.mean() < nll_true.mean())
