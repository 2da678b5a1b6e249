# function: transform_factors
# wrong: the residual path carries z as it is, not the normalised one
def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = torch.cat([inputs, output_grads], dim=-1)
    normed = (z - mean) / scale
    hidden = torch.relu(normed @ down.T)
    return z + hidden @ up.T
