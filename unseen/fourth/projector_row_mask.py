# function: null_space_projector
# wrong: [:, None] lays the mask on the rows of U, not on the eigenvectors: P becomes diagonal
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    small = (values < threshold).double()
    U = vectors * small[:, None]                # zero for every direction that is used
    return (U @ U.T).to(moment.dtype)
