# function: low_rank_output
# wrong: divides the scores by the square root of d_in, as attention does
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    scores = keys @ inputs.T / inputs.shape[-1] ** 0.5
    return outputs - rate * (scores @ output_grads)
