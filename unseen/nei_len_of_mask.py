# function: neighborhood
# wrong: len() of the comparison counts its elements, not those that are True, so the share is always 1
def neighborhood(nll_true, nll_new):
    kept = nll_true < nll_new
    return len(kept) / len(nll_true)
