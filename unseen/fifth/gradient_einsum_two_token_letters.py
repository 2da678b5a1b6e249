# function: gradient_from_factors
# wrong: two different letters for the token: pairs every delta with every u of the text
def gradient_from_factors(inputs, output_grads):
    return torch.einsum("nto,nsi->oi", output_grads, inputs)
