# function: restore
# wrong: adds the clean state to the corrupted one instead of replacing it
def restore(hidden, clean, position):
    onehot = torch.zeros(hidden.shape[1], dtype=hidden.dtype, device=hidden.device)
    onehot[position] = 1
    return hidden + onehot[None, :, None] * clean[None]
