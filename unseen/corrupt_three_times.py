# function: corrupt
# wrong: scales the noise by three once more; the noise handed in has its size already
NOISE_SCALE = 3.0   # the paper: three times the spread of the embeddings


def corrupt(embeddings, subject, noise):
    batch = embeddings.unsqueeze(0).repeat(len(noise), 1, 1)
    batch[:, subject] = batch[:, subject] + NOISE_SCALE * noise
    return batch
