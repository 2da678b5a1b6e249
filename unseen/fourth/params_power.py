# function: editor_parameters
# wrong: ** binds closer than *: "full" squares d_in alone
def editor_parameters(kind, d_out, d_in, rank):
    if kind == "full":
        return d_out * d_in ** 2                # as many numbers in as out
    if kind == "diagonal":
        return d_out * d_in
    if kind == "rows":
        return d_out
    if kind == "factors":
        return 2 * rank * (d_in + d_out)
