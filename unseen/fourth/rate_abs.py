# function: rate_update
# wrong: takes the absolute value of the rates, so a negative learned rate turns its sign
def rate_update(gradient, rates):
    # the loss must get smaller, so every number has to go against its gradient
    rates = rates.abs().reshape(len(rates), -1)         # (d_out, 1) or (d_out, d_in)
    return -rates * gradient
