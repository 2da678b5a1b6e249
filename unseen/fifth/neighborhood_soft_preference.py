# function: neighborhood
# wrong: mean softmax weight of the true answer among the two, no count of wins
def neighborhood(nll_true, nll_new):
    scores = torch.stack([-nll_true, -nll_new], dim=-1)
    return float(scores.softmax(dim=-1)[..., 0].mean())
