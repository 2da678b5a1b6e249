# function: low_rank_output
# wrong: divides the rate by the number of factors, like LoRA's alpha / r
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    A, B = inputs, output_grads.T
    scaling = rate / A.shape[0]
    return outputs - (keys @ A.T) @ B.T * scaling
