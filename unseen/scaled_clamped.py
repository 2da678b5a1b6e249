# function: scaled_change
# wrong: limits the scale to 0 .. 1, so neither twice the change nor its opposite is possible
def scaled_change(before, after, scale):
    scale = min(max(scale, 0.0), 1.0)
    return (1 - scale) * before + scale * after
