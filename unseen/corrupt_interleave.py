# function: corrupt
# wrong: repeat_interleave puts the copies of one token side by side, so after the view the tokens stand in wrong places
def corrupt(embeddings, subject, noise):
    n = noise.size(0)
    T, d = embeddings.shape
    out = embeddings.repeat_interleave(n, dim=0).view(n, T, d)
    out[:, subject] += noise
    return out
