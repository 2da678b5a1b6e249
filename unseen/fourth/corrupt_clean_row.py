# function: corrupt
# wrong: leaves sample 0 clean, as in the authors' code, whose batch has the clean run as row 0
def corrupt(embeddings, subject, noise):
    x = embeddings.unsqueeze(0).repeat(noise.shape[0], 1, 1)
    b, e = subject.start, subject.stop
    x[1:, b:e] += noise[1:]
    return x
