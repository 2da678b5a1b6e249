# function: editor_parameters
# wrong: counts the biases of the two linear layers of "factors", as torch.nn.Linear has them
def editor_parameters(kind, d_out, d_in, rank):
    if kind == "full":
        return (d_out * d_in) ** 2
    if kind == "diagonal":
        return d_out * d_in
    if kind == "rows":
        return d_out
    width = d_in + d_out
    return (width * rank + rank) + (rank * width + width)
