# function: null_space_projector
# wrong: compares the eigenvalues with the threshold relative to the largest one
def null_space_projector(moment, threshold):
    eigenvalues, eigenvectors = torch.linalg.eigh(moment)
    small = eigenvalues / eigenvalues.max() < threshold
    U = eigenvectors[:, small]
    return U @ U.T
