# function: restore
# wrong: inserts the clean state instead of replacing: the tokens behind it move one to the right
def restore(hidden, clean, position):
    n, T, d = hidden.shape
    put = clean[position].expand(n, 1, d)
    restored = torch.cat([hidden[:, :position], put, hidden[:, position:]], dim=1)
    return restored[:, :T].clone()
