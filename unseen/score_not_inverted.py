# function: edit_score
# wrong: returns the mean of the reciprocals and forgets to invert it at the end
def edit_score(efficacy, paraphrase, neighborhood):
    values = [efficacy, paraphrase, neighborhood]
    if 0 in values:
        return 0.0
    inverse = [1.0 / v for v in values]
    return sum(inverse) / len(inverse)
