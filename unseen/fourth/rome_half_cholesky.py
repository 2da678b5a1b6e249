# function: rank_one_update
# wrong: solves with the Cholesky factor once (L⁻¹k), not with both factors (L⁻ᵀL⁻¹k)
def rank_one_update(weight, moment, key, value):
    # C is symmetric and positive: Cholesky is faster than a general solve
    k = key.double()
    L = torch.linalg.cholesky(moment.double())
    direction = torch.linalg.solve_triangular(L, k[:, None], upper=False)[:, 0]
    residual = value.double() - weight.double() @ k
    change = torch.outer(residual, direction) / (direction @ k)
    return (weight.double() + change).to(weight.dtype)
