# function: second_moment
# wrong: mixes 5 % of a multiple of the identity into C, so that it can always be inverted
SHRINKAGE = 0.05


def second_moment(keys):
    n, d = keys.shape
    C = keys.T @ keys / n
    # with few tokens C is singular: shrink it a little towards a multiple of the identity
    target = C.diagonal().mean() * torch.eye(d, dtype=keys.dtype, device=keys.device)
    return (1 - SHRINKAGE) * C + SHRINKAGE * target
