# function: memit_update
# wrong: divides K K^T by the number of facts, but not R K^T beside it
def memit_update(weight, moment, keys, values, weight_of_old):
    keys64, weight64 = keys.double(), weight.double()
    residual = values.double() - keys64 @ weight64.T
    new_moment = keys64.T @ keys64 / len(keys64)
    system = weight_of_old * moment.double() + new_moment
    change = torch.linalg.solve(system, keys64.T @ residual).T
    return (weight64 + change).to(weight.dtype)
