# function: corrupt
# wrong: one working copy for all samples, so each has the noise of the earlier ones as well
def corrupt(embeddings, subject, noise):
    copy = embeddings.clone()
    samples = []
    for each in noise:
        copy[subject] += each
        samples.append(copy.clone())
    return torch.stack(samples)
