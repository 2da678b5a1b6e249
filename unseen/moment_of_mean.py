# function: second_moment
# wrong: takes the mean before the product, so C is the outer product of the mean key
def second_moment(keys):
    k = keys.mean(dim=0)
    return k[:, None] * k[None, :]
