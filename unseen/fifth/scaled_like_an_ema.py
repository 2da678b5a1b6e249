# function: scaled_change
# wrong: the scale stands at the old weight, as the decay of a moving average does
def scaled_change(before, after, scale):
    return before.mul(scale).add(after, alpha=1 - scale)
