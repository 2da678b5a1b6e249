# function: corrupt
# wrong: puts the noise in the place of the subject's embeddings, does not add it
def corrupt(embeddings, subject, noise):
    n = noise.shape[0]
    T, d = embeddings.shape
    corrupted = torch.zeros(n, T, d, dtype=embeddings.dtype)
    for i in range(n):
        corrupted[i] = embeddings
        corrupted[i, subject] = noise[i]
    return corrupted
