# function: second_moment
# wrong: takes the correlation matrix, as np.corrcoef(keys, rowvar=False) gives it
def second_moment(keys):
    return torch.corrcoef(keys.T)
