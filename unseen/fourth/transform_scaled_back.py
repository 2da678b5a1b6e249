# function: transform_factors
# wrong: undoes the normalisation at the end (times scale plus mean)
def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = torch.cat([inputs, output_grads], dim=-1)
    normed = (z - mean) / scale
    hidden = torch.relu(normed @ down.T)
    out = normed + hidden @ up.T
    return out * scale + mean           # back to the sizes of u and δ
