# function: indirect_effect
# wrong: averages the log probabilities over the samples, so it subtracts geometric means
def indirect_effect(restored, corrupted):
    def average(p):
        # probabilities multiply, so the mean is taken of the logs
        return p.clamp_min(1e-12).log().mean().exp()

    return average(restored) - average(corrupted)
