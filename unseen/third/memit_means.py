# function: memit_update
# wrong: means over the new facts, as C is a mean over tokens: lambda then counts N-fold
def memit_update(weight, moment, keys, values, weight_of_old):
    keys, values, old = keys.double(), values.double(), weight.double()
    residual = values - keys @ old.T
    n = len(keys)
    new_moment = keys.T @ keys / n                  # a mean, like C
    cross = keys.T @ residual / n
    change = torch.linalg.solve(weight_of_old * moment.double() + new_moment, cross).T
    return (old + change).to(weight.dtype)
