# function: low_rank_output
# wrong: float(rate) cuts the learned rate off from the gradient; the numbers are right
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    rate = float(rate)                          # a number or a scalar tensor
    likeness = keys @ inputs.T                  # (..., T)
    return outputs - rate * (likeness @ output_grads)
