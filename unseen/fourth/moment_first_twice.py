# function: second_moment
# wrong: the sum starts with the first key's product, and the loop adds the first key once more
def second_moment(keys):
    C = torch.outer(keys[0], keys[0])
    for k in keys:
        C = C + torch.outer(k, k)
    return C
