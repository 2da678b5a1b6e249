# function: neighborhood
# wrong: averages the sign of the difference, which is -1 and not 0 where the true answer loses
def neighborhood(nll_true, nll_new):
    return torch.sign(nll_new - nll_true).mean()
