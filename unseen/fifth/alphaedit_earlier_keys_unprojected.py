# function: alphaedit_update
# wrong: the earlier keys go into the system as they are, not projected
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    W, P = weight.double(), projector.double()
    K, V, E = keys.double().T, values.double().T, earlier_keys.double().T
    R = V - W @ K
    K_P = P @ K
    A = K_P @ K_P.T + E @ E.T + ridge * torch.eye(len(P), dtype=torch.float64)
    return (W + torch.linalg.solve(A, K_P @ R.T).T).to(weight.dtype)
