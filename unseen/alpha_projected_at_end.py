# function: alphaedit_update
# wrong: solves with the keys as they are and projects the finished change, which is another solution
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    W, P = weight.double(), projector.double()
    K, E = keys.double(), earlier_keys.double()
    R = values.double() - K @ W.T
    A = K.T @ K + E.T @ E + ridge * torch.eye(K.shape[1], dtype=torch.float64)
    change = torch.linalg.solve(A, K.T @ R).T
    return (W + change @ P).to(weight.dtype)
