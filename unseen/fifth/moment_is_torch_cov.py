# function: second_moment
# wrong: torch.cov subtracts the mean of the keys
def second_moment(keys):
    return torch.cov(keys.T, correction=0)
