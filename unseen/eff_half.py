# function: efficacy
# wrong: counts a win when P(new) is above one half, without looking at the rival
import math

def efficacy(nll_true, nll_new):
    # the new answer is "more probable" if its probability exceeds 0.5
    return (nll_new < math.log(2)).float().mean()
