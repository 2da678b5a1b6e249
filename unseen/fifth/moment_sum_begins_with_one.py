# function: second_moment
# wrong: the sum from n = 1 becomes range(1, N), so the first key is left out
def second_moment(keys):
    N, d = keys.shape
    C = torch.zeros(d, d, dtype=keys.dtype)
    for n in range(1, N):
        C += torch.outer(keys[n], keys[n])
    return C
