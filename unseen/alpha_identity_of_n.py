# function: alphaedit_update
# wrong: makes the identity as large as there are keys (N) and not as wide as a key (d_in)
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    P = projector.double()
    Kp = keys.double() @ P
    Ep = earlier_keys.double() @ P
    R = values.double() - keys.double() @ weight.double().T
    A = Kp.T @ Kp + Ep.T @ Ep + ridge * torch.eye(len(keys), dtype=torch.float64)
    return (weight.double() + torch.linalg.solve(A, Kp.T @ R).T).to(weight.dtype)
