# function: rank_one_update
# wrong: solves with the lower Cholesky factor only once; C^-1 k needs the second solve with its transpose
def rank_one_update(weight, moment, key, value):
    W, C, k, v = weight.double(), moment.double(), key.double(), value.double()
    L = torch.linalg.cholesky(C)
    u = torch.linalg.solve_triangular(L, k[:, None], upper=False).squeeze(1)
    lam = u @ k
    return (W + torch.outer(v - W @ k, u) / lam).to(weight.dtype)
