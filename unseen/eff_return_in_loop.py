# function: efficacy
# wrong: the return stands inside the loop, so only the first probe is counted
def efficacy(nll_true, nll_new):
    wins = 0
    for true, new in zip(nll_true, nll_new):
        if new < true:
            wins += 1
        return wins / len(nll_true)
