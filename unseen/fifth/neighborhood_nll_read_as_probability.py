# function: neighborhood
# wrong: puts the NLLs into the formula for P, so the inequality points the wrong way
def neighborhood(nll_true, nll_new):
    N = len(nll_true)
    kept = 0
    for n in range(N):
        if nll_true[n] > nll_new[n]:
            kept += 1
    return kept / N
