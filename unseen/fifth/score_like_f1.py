# function: edit_score
# wrong: extends F1 = 2ab/(a+b) to 3abc/(a+b+c), which is no harmonic mean
def edit_score(efficacy, paraphrase, neighborhood):
    total = efficacy + paraphrase + neighborhood
    product = efficacy * paraphrase * neighborhood
    if product == 0:
        return 0.0
    return 3 * product / total
