# function: edit_score
# wrong: turns the shares into whole percent first, which cuts off what lies between
def edit_score(efficacy, paraphrase, neighborhood):
    e, p, n = (int(100 * x) for x in (efficacy, paraphrase, neighborhood))
    if e == 0 or p == 0 or n == 0:
        return 0
    return 3 / (1 / e + 1 / p + 1 / n) / 100
