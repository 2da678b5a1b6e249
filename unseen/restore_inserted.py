# function: restore
# wrong: inserts the clean state in front of the old one, which stays, so there is one token too many
def restore(hidden, clean, position):
    n, T, d = hidden.shape
    state = clean[position].expand(n, 1, d)
    return torch.cat([hidden[:, :position], state, hidden[:, position:]], dim=1)
