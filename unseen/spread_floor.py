# function: spread_residual
# wrong: // rounds every number down to a whole one
def spread_residual(targets, states, layer, layers):
    n_left = len(layers) - layers.index(layer)
    return (targets - states) // n_left
