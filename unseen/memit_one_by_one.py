# function: memit_update
# wrong: writes the facts one after the other, each in a system that knows nothing of the other new keys
def memit_update(weight, moment, keys, values, weight_of_old):
    new = weight.double()
    C = weight_of_old * moment.double()
    for k, v in zip(keys.double(), values.double()):
        residual = v - new @ k
        direction = torch.linalg.solve(C + torch.outer(k, k), k)
        new = new + torch.outer(residual, direction)
    return new.to(weight.dtype)
