# function: memit_update
# wrong: divides C by the weight of the old keys, as in the update of C for one fact after the other, instead of multiplying
def memit_update(weight, moment, keys, values, weight_of_old):
    K = keys.T.double()                 # (d_in, N)
    R = values.T.double() - weight.double() @ K
    A = moment.double() / weight_of_old + K @ K.T
    return (weight.double() + R @ K.T @ torch.linalg.inv(A)).to(weight.dtype)
