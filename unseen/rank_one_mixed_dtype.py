# function: rank_one_update
# wrong: makes only the moment double, so solve gets two dtypes and refuses
def rank_one_update(weight, moment, key, value):
    direction = torch.linalg.solve(moment.double(), key)
    lam = direction @ key
    return weight + torch.outer(value - weight @ key, direction) / lam
