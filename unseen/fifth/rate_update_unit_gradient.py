# function: rate_update
# wrong: brings the gradient to length one first, which the kit does elsewhere
def rate_update(gradient, rates):
    direction = gradient / gradient.norm()
    if rates.dim() == 1:
        rates = rates[:, None]
    return -rates * direction
