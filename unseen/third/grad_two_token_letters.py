# function: gradient_from_factors
# wrong: two letters for the one token axis: every delta is multiplied with every u of the text
def gradient_from_factors(inputs, output_grads):
    return torch.einsum("nto,nsi->oi", output_grads, inputs)
