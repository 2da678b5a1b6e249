# function: spread_residual
# wrong: -= changes the argument targets, which the next layers need
def spread_residual(targets, states, layer, layers):
    targets -= states
    return targets / (len(layers) - layers.index(layer))
