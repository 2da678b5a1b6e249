# function: editor_parameters
# wrong: counts MEND's μ and σ as parameters of "factors", though they are measured, not learned
def editor_parameters(kind, d_out, d_in, rank):
    width = d_in + d_out
    if kind == "full":
        return (d_out * d_in) ** 2
    if kind == "diagonal":
        return d_out * d_in
    if kind == "rows":
        return d_out
    normalise = 2 * width               # mean and scale of each number
    return normalise + width * rank + rank * width
