# function: edit_score
# wrong: generalises F1 = 2pr/(p+r) to 3epn/(e+p+n), which is not the harmonic mean of three
def edit_score(efficacy, paraphrase, neighborhood):
    total = efficacy + paraphrase + neighborhood
    if total == 0:
        return 0.0
    return 3 * efficacy * paraphrase * neighborhood / total
