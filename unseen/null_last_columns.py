# function: null_space_projector
# wrong: expects the eigenvalues from large to small, as svd gives them, and takes the last columns; eigh sorts them the other way
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment)
    count = int((values < threshold).sum())
    U = vectors[:, len(values) - count:]
    return U @ U.T
