# function: spread_residual
# wrong: divides by the number of layers up to this one, not from this one on
def spread_residual(targets, states, layer, layers):
    i = layers.index(layer)
    remaining = len(layers[:i + 1])
    return (targets - states) / remaining
