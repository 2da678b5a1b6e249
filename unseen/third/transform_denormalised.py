# function: transform_factors
# wrong: undoes the normalisation at the end, to return to the size of u and delta
def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = torch.cat([inputs, output_grads], dim=-1)
    normed = (z - mean) / scale
    new = normed + torch.relu(normed @ down.T) @ up.T
    return new * scale + mean
