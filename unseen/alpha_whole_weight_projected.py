# function: alphaedit_update
# wrong: projects the whole new matrix, which wipes out all that W does outside of the null space
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    W, P = weight.double(), projector.double()
    K, E = keys.double() @ P, earlier_keys.double() @ P
    R = values.double() - keys.double() @ W.T
    A = K.T @ K + E.T @ E + ridge * torch.eye(P.shape[0], dtype=P.dtype)
    new = W + torch.linalg.solve(A, K.T @ R).T
    return (new @ P).to(weight.dtype)
