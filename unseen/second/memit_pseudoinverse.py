# function: memit_update
# wrong: the smallest change that fits all new keys, by a pseudoinverse: old keys play no part
def memit_update(weight, moment, keys, values, weight_of_old):
    w, k, v = weight.double(), keys.double(), values.double()
    residual = v - k @ w.T
    change = torch.linalg.pinv(k) @ residual
    return (w + change.T).to(weight.dtype)
