# function: rank_one_update
# wrong: the direction is C k*, not its inverse times k* (the constraint holds all the same)
def rank_one_update(weight, moment, key, value):
    W, C = weight.double(), moment.double()
    k, v = key.double(), value.double()
    direction = C @ k
    lam = direction @ k
    Lambda = (v - W @ k) / lam
    return (W + torch.outer(Lambda, direction)).to(weight.dtype)
