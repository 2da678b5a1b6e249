# function: indirect_effect
# wrong: the median over the samples, where the mean is asked for
def indirect_effect(restored, corrupted):
    return torch.median(restored - corrupted)
