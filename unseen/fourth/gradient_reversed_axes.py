# function: gradient_from_factors
# wrong: reverses all three axes: δ runs over (T, N), u over (N, T); right for one text only
def gradient_from_factors(inputs, output_grads):
    d_in, d_out = inputs.shape[-1], output_grads.shape[-1]
    delta = output_grads.permute(2, 1, 0).reshape(d_out, -1)        # (d_out, tokens)
    u = inputs.reshape(-1, d_in)                                    # (tokens, d_in)
    return delta @ u
