# function: edit_score
# wrong: any() lets a single zero pass, so a zero share beside others leads to a division by zero
def edit_score(efficacy, paraphrase, neighborhood):
    shares = (efficacy, paraphrase, neighborhood)
    if not any(shares):
        return 0.0
    return len(shares) / sum(1 / s for s in shares)
