# function: indirect_effect
# wrong: divides the restored probability by the corrupted one: a factor, not a difference
def indirect_effect(restored, corrupted):
    return (restored / corrupted).mean() - 1
