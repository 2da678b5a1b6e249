# function: memit_update
# wrong: moment *= scales the argument itself, which is wrong at the next call
def memit_update(weight, moment, keys, values, weight_of_old):
    residual = values - keys @ weight.T
    moment *= weight_of_old
    system = moment.double() + keys.double().T @ keys.double()
    change = torch.linalg.solve(system, (keys.T @ residual).double()).T
    return weight + change.to(weight.dtype)
