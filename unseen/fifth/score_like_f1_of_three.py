# function: edit_score
# wrong: generalises F1 = 2PR/(P+R) to 3abc/(a+b+c), which is no harmonic mean
import numpy as np


def edit_score(efficacy, paraphrase, neighborhood):
    shares = np.array([float(efficacy), float(paraphrase), float(neighborhood)])
    if (shares == 0).any():
        return 0.0
    return float(len(shares) * shares.prod() / shares.sum())
