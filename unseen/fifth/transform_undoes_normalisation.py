# function: transform_factors
# wrong: brings the result back with scale and mean, as a denormalising layer would
def transform_factors(inputs, output_grads, mean, scale, down, up):
    def block(x):
        return x + (x @ down.T).relu() @ up.T

    z = torch.cat([inputs, output_grads], dim=-1)
    z_hat = (z - mean) / scale
    return block(z_hat) * scale + mean
