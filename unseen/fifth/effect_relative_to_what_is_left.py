# function: indirect_effect
# wrong: divides by 1 - corrupted, the probability that is left to restore
def indirect_effect(restored, corrupted):
    left = 1 - corrupted
    return ((restored - corrupted) / left).mean()
