# function: low_rank_output
# wrong: "it looks like attention", so the products with the inputs go through a softmax
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    attention = torch.softmax(keys @ inputs.T, dim=-1)
    return outputs - rate * attention @ output_grads
