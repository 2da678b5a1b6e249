# function: corrupt
# wrong: leaves sample 0 without noise, as the batch of ROME's trace_with_patch does
def corrupt(embeddings, subject, noise):
    x = embeddings.detach().repeat(noise.shape[0], 1, 1)
    x[1:, subject] += noise[1:].to(x)
    return x
