# function: null_space_projector
# wrong: the threshold is taken for a share of C's trace (as in PCA), not for an eigenvalue
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())        # ascending
    explained = values.cumsum(dim=0) / values.sum()
    U = vectors[:, explained < threshold]
    return (U @ U.T).to(moment.dtype)
