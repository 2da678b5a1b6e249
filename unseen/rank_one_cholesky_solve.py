# function: rank_one_update
# wrong: cholesky_solve expects the Cholesky factor of C, but gets C itself
def rank_one_update(weight, moment, key, value):
    k = key.double()
    u = torch.cholesky_solve(k.unsqueeze(1), moment.double()).squeeze(1)
    residual = value.double() - weight.double() @ k
    delta = residual[:, None] * u[None, :] / torch.dot(u, k)
    return weight + delta.to(weight.dtype)
