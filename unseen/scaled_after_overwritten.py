# function: scaled_change
# wrong: -= subtracts in place, so the argument `after` is overwritten
def scaled_change(before, after, scale):
    change = after
    change -= before
    return before + scale * change
