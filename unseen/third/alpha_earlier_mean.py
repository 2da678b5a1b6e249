# function: alphaedit_update
# wrong: the earlier keys enter with their mean instead of their sum
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    P = projector.double()
    residual = values.double() - keys.double() @ weight.double().T
    new = keys.double() @ P
    system = new.T @ new + ridge * torch.eye(len(P), dtype=torch.float64)
    if len(earlier_keys) > 0:
        earlier = earlier_keys.double() @ P
        system = system + earlier.T @ earlier / len(earlier)
    change = torch.linalg.solve(system, new.T @ residual).T
    return (weight.double() + change).to(weight.dtype)
