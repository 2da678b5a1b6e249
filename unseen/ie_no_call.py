# function: indirect_effect
# wrong: the parentheses after mean are missing, so two methods are subtracted
def indirect_effect(restored, corrupted):
    return restored.mean - corrupted.mean
