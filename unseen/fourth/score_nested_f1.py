# function: edit_score
# wrong: harmonic mean of two shares, and then of the result and the third (weights 1/4, 1/4, 1/2)
def f1(a, b):
    if a == 0 or b == 0:
        return 0.0
    return 2 * a * b / (a + b)


def edit_score(efficacy, paraphrase, neighborhood):
    return f1(f1(efficacy, paraphrase), neighborhood)
