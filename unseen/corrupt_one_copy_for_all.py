# function: corrupt
# wrong: the copy is made once before the loop, so the noise piles up and all samples are one tensor
def corrupt(embeddings, subject, noise):
    samples = []
    copy = embeddings.clone()
    for eps in noise:
        copy[subject] += eps
        samples.append(copy)
    return torch.stack(samples)
