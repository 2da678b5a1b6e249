# function: alphaedit_update
# wrong: stacks one outer product for each earlier key, which fails where there is none
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    P = projector.double()
    K = keys.double() @ P
    R = values.double() - keys.double() @ weight.double().T
    cache = torch.stack([torch.outer(k, k) for k in earlier_keys.double() @ P]).sum(0)
    system = K.T @ K + cache + ridge * torch.eye(len(P), dtype=P.dtype)
    return (weight.double() + torch.linalg.solve(system, K.T @ R).T).to(weight.dtype)
