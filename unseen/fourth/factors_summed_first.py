# function: gradient_from_factors
# wrong: sums over the tokens before the product, so each text gives one outer product of sums
def gradient_from_factors(inputs, output_grads):
    u = inputs.sum(dim=1)               # (N, d_in)
    delta = output_grads.sum(dim=1)     # (N, d_out)
    return torch.einsum("no,ni->oi", delta, u)
