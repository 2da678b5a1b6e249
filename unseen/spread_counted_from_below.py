# function: spread_residual
# wrong: divides by the number of layers done so far, not by those that are still to come
def spread_residual(targets, states, layer, layers):
    done = sum(1 for l in layers if l <= layer)
    return (targets - states) / done
