# function: spread_residual
# wrong: share (i + 1) / n of what is missing, where 1 / (n - i) would spread it equally
def spread_residual(targets, states, layer, layers):
    done = layers.index(layer) + 1      # after this layer so much of the way should be done
    return (targets - states) * done / len(layers)
