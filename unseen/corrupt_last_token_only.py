# function: corrupt
# wrong: covers only the last token of the subject, and leaves the tokens before it readable
def corrupt(embeddings, subject, noise):
    last = subject.stop - 1
    corrupted = embeddings[None].repeat(len(noise), 1, 1)
    corrupted[:, last] += noise[:, -1]
    return corrupted
