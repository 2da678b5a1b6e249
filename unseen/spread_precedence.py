# function: spread_residual
# wrong: the parentheses are missing, so only the states are divided
def spread_residual(targets, states, layer, layers):
    to_come = len([l for l in layers if l >= layer])
    return targets - states / to_come
