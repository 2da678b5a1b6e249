# function: rank_one_update
# wrong: has the 1 + k^T C^-1 k of Sherman-Morrison in the denominator, so the constraint is not met exactly
def rank_one_update(weight, moment, key, value):
    k = key.double()
    c_inv_k = torch.linalg.solve(moment.double(), k)
    residual = value.double() - weight.double() @ k
    update = torch.outer(residual, c_inv_k) / (1 + k @ c_inv_k)
    return (weight.double() + update).to(weight.dtype)
