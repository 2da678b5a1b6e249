# function: neighborhood
# wrong: leaves ties out of the count, so they lower the denominator, too
def neighborhood(nll_true, nll_new):
    # a tie is nobody's win, so it must not be counted
    decided = nll_true != nll_new
    if not decided.any():
        return 0.0
    return (nll_true[decided] < nll_new[decided]).float().mean()
