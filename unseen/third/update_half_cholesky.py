# function: rank_one_update
# wrong: solves with the Cholesky factor once instead of twice: L^-1 k in the place of C^-1 k
def rank_one_update(weight, moment, key, value):
    lower = torch.linalg.cholesky(moment.double())
    k = key.double()
    direction = torch.linalg.solve_triangular(lower, k[:, None], upper=False)[:, 0]
    residual = value.double() - weight.double() @ k
    change = torch.outer(residual, direction) / (direction @ k)
    return (weight.double() + change).to(weight.dtype)
