# function: efficacy
# wrong: compares an (N, 1) column with an (N,) row, so it averages over all N x N pairs of probes
def efficacy(nll_true, nll_new):
    nll = torch.stack([nll_true, nll_new], dim=1)       # (N, 2): true, new
    wins = nll[:, 1:] < nll[:, 0]
    return wins.float().mean()
