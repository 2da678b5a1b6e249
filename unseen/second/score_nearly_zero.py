# function: edit_score
# wrong: takes every share below one percent for 0, "to be safe" in the division
def edit_score(efficacy, paraphrase, neighborhood):
    shares = (efficacy, paraphrase, neighborhood)
    if min(shares) < 1e-2:
        return 0.0
    return 3 / sum(1 / share for share in shares)
