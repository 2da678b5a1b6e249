# function: gradient_from_factors
# wrong: sums each factor over a text's tokens, then multiplies: tokens are mixed
def gradient_from_factors(inputs, output_grads):
    u = inputs.sum(dim=1)
    delta = output_grads.sum(dim=1)
    return delta.T @ u
