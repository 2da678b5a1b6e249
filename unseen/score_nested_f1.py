# function: edit_score
# wrong: nests two harmonic means of two, so neighborhood weighs as much as the other two together
def _f1(a, b):
    return 0.0 if a + b == 0 else 2 * a * b / (a + b)


def edit_score(efficacy, paraphrase, neighborhood):
    generalization = _f1(efficacy, paraphrase)
    return _f1(generalization, neighborhood)
