# function: corrupt
# wrong: expand makes no copies, so adding in place raises an error
def corrupt(embeddings, subject, noise):
    n = noise.shape[0]
    corrupted = embeddings.unsqueeze(0).expand(n, -1, -1)
    corrupted[:, subject, :] += noise
    return corrupted
