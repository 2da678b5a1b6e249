# function: rank_one_update
# wrong: divides the key by the diagonal of C, as if C had nothing beside it
def rank_one_update(weight, moment, key, value):
    direction = key / moment.diagonal()
    residual = value - weight @ key
    return weight + torch.outer(residual, direction) / (direction @ key)
