# function: memit_update
# wrong: solve(A, B) gives A^-1 B, but the inverse stands on the right of R K^T here, so the shapes do not fit
def memit_update(weight, moment, keys, values, weight_of_old):
    W, C = weight.double(), moment.double()
    K, V = keys.double().T, values.double().T
    R = V - W @ K
    delta = torch.linalg.solve(weight_of_old * C + K @ K.T, R @ K.T)
    return (W + delta).to(weight.dtype)
