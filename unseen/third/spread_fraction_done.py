# function: spread_residual
# wrong: takes the share that should be done after this layer, of what is still missing
def spread_residual(targets, states, layer, layers):
    done = (layers.index(layer) + 1) / len(layers)  # after the last layer: all of it
    return done * (targets - states)
