# function: corrupt
# wrong: the working copy is made once before the loop, so sample i carries the noise of 0 to i
def corrupt(embeddings, subject, noise):
    copy = embeddings.clone()                   # never write into the argument
    samples = []
    for sample in noise:
        copy[subject] += sample
        samples.append(copy.clone())
    return torch.stack(samples)
