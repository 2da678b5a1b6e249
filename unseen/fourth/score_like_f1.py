# function: edit_score
# wrong: generalises F1 = 2ab / (a + b) to 3abc / (a + b + c), which is not the harmonic mean
def edit_score(efficacy, paraphrase, neighborhood):
    total = efficacy + paraphrase + neighborhood
    if total == 0:
        return 0.0
    # like the F1 score, for three numbers
    return 3 * efficacy * paraphrase * neighborhood / total
