# function: indirect_effect
# wrong: divides by what was left to gain (1 - corrupted), as later patching papers do; the plain difference is asked for
def indirect_effect(restored, corrupted):
    # fraction of the clean probability that is recovered
    return ((restored - corrupted) / (1 - corrupted)).mean()
