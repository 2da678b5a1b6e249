# function: rank_one_update
# wrong: divides by u.u, the square of the direction, not by u.k
def rank_one_update(weight, moment, key, value):
    W, C, k, v = (x.double() for x in (weight, moment, key, value))
    u = torch.linalg.solve(C, k[:, None])
    resid = v[:, None] - W @ k[:, None]
    return (W + resid @ u.T / (u.T @ u)).to(weight)
