# function: null_space_projector
# wrong: torch.linalg.eig gives complex eigenvalues, which cannot be compared with <
def null_space_projector(moment, threshold):
    eigvals, eigvecs = torch.linalg.eig(moment)
    U = eigvecs[:, eigvals < threshold]
    return U @ U.T
