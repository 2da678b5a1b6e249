# function: restore
# wrong: moves the samples so that their mean is the clean state; each keeps its own deviation
def restore(hidden, clean, position):
    restored = hidden.clone()
    missing = clean[position] - hidden[:, position].mean(0)
    restored[:, position] += missing
    return restored
