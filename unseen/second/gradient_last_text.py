# function: gradient_from_factors
# wrong: = in place of += in the loop over the texts, so only the last one counts
def gradient_from_factors(inputs, output_grads):
    gradient = torch.zeros(output_grads.shape[-1], inputs.shape[-1])
    for u, delta in zip(inputs, output_grads, strict=True):
        gradient = delta.T @ u
    return gradient
