# function: restore
# wrong: the mask is the wrong way round: the one token stays corrupted and all others become clean
def restore(hidden, clean, position):
    mask = torch.zeros(hidden.shape[1], 1, dtype=hidden.dtype)
    mask[position] = 1
    return mask * hidden + (1 - mask) * clean
