# function: rate_update
# wrong: sets negative rates to 0, so they do nothing and get no gradient
def rate_update(gradient, rates):
    rates = rates.clamp(min=0)          # a learning rate is never negative
    if rates.ndim == 1:
        rates = rates.unsqueeze(1)
    return -rates * gradient
