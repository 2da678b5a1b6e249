# function: null_space_projector
# wrong: compares the square roots of the eigenvalues (the singular values of K) with the threshold
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    singular = values.clamp(min=0).sqrt()
    U = vectors[:, singular < threshold]
    return (U @ U.T).to(moment.dtype)
