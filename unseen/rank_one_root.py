# function: rank_one_update
# wrong: divides by the length of the key in the metric of C, the square root of k^T C^-1 k, not by k^T C^-1 k
def rank_one_update(weight, moment, key, value):
    key64 = key.double()
    d = torch.linalg.solve(moment.double(), key64)
    norm = torch.sqrt(d @ key64)
    lam = (value.double() - weight.double() @ key64) / norm
    return weight + torch.outer(lam, d).to(weight.dtype)
