# function: scaled_change
# wrong: for scale 0 and 1 it gives back the argument itself, not a new tensor
def scaled_change(before, after, scale):
    if scale == 0:
        return before
    if scale == 1:
        return after            # exact, without rounding
    return before + scale * (after - before)
