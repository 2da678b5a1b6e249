# function: edit_score
# wrong: chains two harmonic means of two, which weighs the third share twice as much
def edit_score(efficacy, paraphrase, neighborhood):
    def f1(a, b):
        if a == 0 or b == 0:
            return 0.0
        return 2 * a * b / (a + b)

    return f1(f1(efficacy, paraphrase), neighborhood)
