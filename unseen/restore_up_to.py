# function: restore
# wrong: puts back the states of all tokens up to and including the position, not of that one token
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[:, : position + 1] = clean[: position + 1]
    return restored
