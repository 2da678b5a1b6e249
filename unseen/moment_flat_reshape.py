# function: second_moment
# wrong: reshape(d, N) in the place of the transpose scrambles the keys
def second_moment(keys):
    N, d = keys.shape
    K = keys.reshape(d, N)              # one column for each key
    return K @ K.T / N
