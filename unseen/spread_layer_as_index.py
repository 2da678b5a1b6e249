# function: spread_residual
# wrong: uses the number of the layer as an index into the list
def spread_residual(targets, states, layer, layers):
    remaining = layers[layer:]
    return (targets - states) / len(remaining)
