# function: null_space_projector
# wrong: leaves the eigenvalues in the product, which gives the small part of C and no projection
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment)
    values = torch.where(values < threshold, values, torch.zeros_like(values))
    return vectors @ torch.diag(values) @ vectors.T
