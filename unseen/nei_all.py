# function: neighborhood
# wrong: asks whether all neighbors kept their answer (0 or 1), not what share of them did
def neighborhood(nll_true, nll_new):
    return (nll_true < nll_new).all().float()
