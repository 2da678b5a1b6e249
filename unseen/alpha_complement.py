# function: alphaedit_update
# wrong: takes P for the directions to be protected and projects with I - P
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    identity = torch.eye(len(projector), dtype=torch.float64)
    Q = identity - projector.double()           # stay out of what is protected
    K, E = keys.double() @ Q, earlier_keys.double() @ Q
    R = (values - keys @ weight.T).double()
    change = torch.linalg.solve(K.T @ K + E.T @ E + ridge * identity, K.T @ R).T
    return weight + change.to(weight.dtype)
