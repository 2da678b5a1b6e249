# function: editor_parameters
# wrong: the square binds to d_in alone
def editor_parameters(kind, d_out, d_in, rank):
    if kind == "full":
        return d_out * d_in ** 2
    if kind == "diagonal":
        return d_out * d_in
    if kind == "rows":
        return d_out
    return 2 * rank * (d_in + d_out)
