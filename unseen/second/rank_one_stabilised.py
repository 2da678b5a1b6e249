# function: rank_one_update
# wrong: adds 0.01 to the diagonal of C "for numerical stability"
def rank_one_update(weight, moment, key, value):
    w, c, k, v = (each.double() for each in (weight, moment, key, value))
    c = c + 1e-2 * torch.eye(c.shape[0], dtype=c.dtype)
    direction = torch.linalg.solve(c, k)
    update = torch.outer(v - w @ k, direction) / (k @ direction)
    return (w + update).to(weight.dtype)
