# function: second_moment
# wrong: a mean over batches of each batch's mean: the keys of the short last batch count more
def second_moment(keys):
    # in batches, to spare memory
    moments = [batch.T @ batch / len(batch) for batch in keys.split(16)]
    return torch.stack(moments).mean(0)
