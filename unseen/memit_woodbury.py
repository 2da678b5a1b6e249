# function: memit_update
# wrong: in the Woodbury form it adds the identity and not lambda times the identity
def memit_update(weight, moment, keys, values, weight_of_old):
    keys64 = keys.double()
    residual = values.double() - keys64 @ weight.double().T
    c_inv_k = torch.linalg.solve(moment.double(), keys64.T)              # (d_in, N)
    gram = keys64 @ c_inv_k                                              # (N, N)
    inner = torch.eye(len(keys), dtype=torch.float64) + gram
    change = torch.linalg.solve(inner, residual).T @ c_inv_k.T
    return weight + change.to(weight.dtype)
