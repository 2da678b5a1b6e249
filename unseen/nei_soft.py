# function: neighborhood
# wrong: averages the probability of the true answer normalised over the two rivals; a win is not counted as 1
def neighborhood(nll_true, nll_new):
    p = torch.softmax(torch.stack([-nll_true, -nll_new]), dim=0)
    return p[0].mean()
