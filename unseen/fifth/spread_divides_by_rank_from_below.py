# function: spread_residual
# wrong: divides by the number of layers up to this one, not from this one on
def spread_residual(targets, states, layer, layers):
    i = list(layers).index(layer)
    resid = targets - states
    return resid / (i + 1)
