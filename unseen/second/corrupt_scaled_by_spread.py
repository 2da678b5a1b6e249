# function: corrupt
# wrong: takes the noise for a standard normal draw and multiplies it by the embeddings' spread
def corrupt(embeddings, subject, noise):
    n = noise.shape[0]
    corrupted = embeddings.unsqueeze(0).repeat(n, 1, 1)
    corrupted[:, subject] += noise * 3 * embeddings.std()
    return corrupted
