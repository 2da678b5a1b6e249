# function: alphaedit_update
# wrong: puts the ridge on P and not on the identity, so the system stays singular
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    P = projector.double()
    Kp, Ep = keys.double() @ P, earlier_keys.double() @ P
    R = values.double() - keys.double() @ weight.double().T
    system = Kp.T @ Kp + Ep.T @ Ep + ridge * P
    return weight + torch.linalg.solve(system, Kp.T @ R).T.to(weight.dtype)
