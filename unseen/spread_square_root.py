# function: spread_residual
# wrong: divides by the square root of the number of layers to come (that is PMET's way, not MEMIT's)
def spread_residual(targets, states, layer, layers):
    remaining = len(layers) - layers.index(layer)
    return (targets - states) / remaining ** 0.5
