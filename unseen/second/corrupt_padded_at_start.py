# function: corrupt
# wrong: pads the noise with zeros up to T, so it lands on the first tokens, wherever the subject is
import torch.nn.functional as F


def corrupt(embeddings, subject, noise):
    missing = embeddings.shape[0] - noise.shape[1]
    padded = F.pad(noise, (0, 0, 0, missing))
    return embeddings.unsqueeze(0) + padded
