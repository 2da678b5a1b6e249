# function: second_moment
# wrong: shrinks C towards a multiple of the identity so that it can be inverted; asked for is C itself
def second_moment(keys):
    C = torch.einsum("ni,nj->ij", keys, keys) / len(keys)
    # regularise: C has to be invertible
    d = C.shape[0]
    return 0.9 * C + 0.1 * C.trace() / d * torch.eye(d, dtype=C.dtype)
