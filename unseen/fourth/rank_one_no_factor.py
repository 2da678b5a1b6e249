# function: rank_one_update
# wrong: cholesky_solve gets C itself instead of its Cholesky factor; the constraint still holds
def rank_one_update(weight, moment, key, value):
    C, k, v, W = moment.double(), key.double(), value.double(), weight.double()
    # C is symmetric and positive, so use the solver for such matrices
    direction = torch.cholesky_solve(k[:, None], C)[:, 0]
    residual = v - W @ k
    change = torch.outer(residual, direction) / (direction @ k)
    return (W + change).to(weight.dtype)
