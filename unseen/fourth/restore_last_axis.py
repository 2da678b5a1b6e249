# function: restore
# wrong: `...` puts the position on the last axis: one hidden unit of all tokens is restored
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[..., position] = clean[..., position]
    return restored
