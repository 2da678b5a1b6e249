# function: null_space_projector
# wrong: takes the last columns as after an SVD, but eigh sorts the eigenvalues upwards
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    count = int((values < threshold).sum())
    small = vectors[:, len(values) - count:]
    return (small @ small.T).to(moment.dtype)
