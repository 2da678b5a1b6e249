# function: rank_one_update
# wrong: the direction is brought to length one, but the divisor was computed before that
def rank_one_update(weight, moment, key, value):
    W, C, k, v = (x.detach().double() for x in (weight, moment, key, value))
    u = torch.linalg.solve(C, k)
    lam = u @ k
    u = u / u.norm()
    return (W + torch.outer((v - W @ k) / lam, u)).to(weight.dtype)
