# function: neighborhood
# wrong: broadcasts a column against a row, so every true answer is compared with every neighbor's new answer
def neighborhood(nll_true, nll_new):
    nll_true = nll_true.reshape(-1, 1)
    return (nll_true < nll_new).to(torch.float32).mean()
