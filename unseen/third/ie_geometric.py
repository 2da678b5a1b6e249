# function: indirect_effect
# wrong: geometric means, because "probabilities are averaged in log space"
def indirect_effect(restored, corrupted):
    return restored.log().mean().exp() - corrupted.log().mean().exp()
