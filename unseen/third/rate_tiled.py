# function: rate_update
# wrong: tiles the row rates and reshapes, so they run along the rows (needs repeat_interleave)
def rate_update(gradient, rates):
    d_out, d_in = gradient.shape
    if rates.dim() == 1:
        rates = rates.repeat(d_in).reshape(d_out, d_in)
    return -rates * gradient
