# function: editor_parameters
# wrong: "factors" goes from d_in down to rank and up to d_out: half of the right number
def editor_parameters(kind, d_out, d_in, rank):
    if kind == "full":
        return (d_out * d_in) ** 2
    if kind == "diagonal":
        return d_out * d_in
    if kind == "rows":
        return d_out
    if kind == "factors":
        down = d_in * rank
        up = rank * d_out
        return down + up
