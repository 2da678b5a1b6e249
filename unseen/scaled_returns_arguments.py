# function: scaled_change
# wrong: for scale 0 and 1 it returns the argument itself and no new tensor
def scaled_change(before, after, scale):
    if scale == 0:
        return before
    if scale == 1:
        return after
    return before + scale * (after - before)
