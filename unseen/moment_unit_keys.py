# function: second_moment
# wrong: brings all keys to length one first, so long keys lose their weight
def second_moment(keys):
    keys = torch.nn.functional.normalize(keys, dim=-1)
    return keys.T @ keys / keys.shape[0]
