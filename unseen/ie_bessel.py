# function: indirect_effect
# wrong: divides by n - 1, as for a sample variance; a mean divides by n
def indirect_effect(restored, corrupted):
    n = restored.numel()
    return (restored - corrupted).sum() / (n - 1)
