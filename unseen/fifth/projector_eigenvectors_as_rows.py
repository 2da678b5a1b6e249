# function: null_space_projector
# wrong: takes rows of the eigenvector matrix, as one does with Vh of an SVD
def null_space_projector(moment, threshold):
    S, U = torch.linalg.eigh(moment.double())
    small = U[S < threshold]
    return (small.T @ small).to(moment.dtype)
