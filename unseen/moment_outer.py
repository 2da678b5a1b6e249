# function: second_moment
# wrong: torch.outer takes vectors only, and gets matrices
def second_moment(keys):
    return torch.outer(keys.T, keys) / len(keys)
