# function: restore
# wrong: index [0, position]: only the first sample gets its clean state back
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[0, position] = clean[position]
    return restored
