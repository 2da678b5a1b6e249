# function: alphaedit_update
# wrong: P stands on the wrong side in the system (A P + ρI where P A + ρI belongs)
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    P, K, E = projector.double(), keys.double(), earlier_keys.double()
    R = values.double() - K @ weight.double().T
    # P is idempotent, so projecting once is enough
    system = (K.T @ K + E.T @ E) @ P + ridge * torch.eye(len(P), dtype=torch.float64)
    change = torch.linalg.solve(system, P @ K.T @ R).T
    return weight + change.to(weight.dtype)
