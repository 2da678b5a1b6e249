# function: neighborhood
# wrong: the sign brought from [-1, 1] to [0, 1] gives a tie one half
def neighborhood(nll_true, nll_new):
    ahead = torch.sign(nll_new - nll_true)          # -1, 0 or 1
    return ((ahead + 1) / 2).float().mean()
