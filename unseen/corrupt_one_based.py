# function: corrupt
# wrong: takes the slice for 1-based and moves it one token to the left
def corrupt(embeddings, subject, noise):
    first = subject.start - 1
    out = embeddings.repeat(noise.shape[0], 1, 1)
    for i in range(noise.shape[1]):
        out[:, first + i] += noise[:, i]
    return out
