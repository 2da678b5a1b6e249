# function: indirect_effect
# wrong: takes the difference of log probabilities, not of probabilities
def indirect_effect(restored, corrupted):
    return (restored.log() - corrupted.log()).mean()
