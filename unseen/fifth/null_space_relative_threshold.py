# function: null_space_projector
# wrong: takes the threshold relative to the largest eigenvalue
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    unused = values < threshold * values.max()
    U = vectors[:, unused]
    return (U @ U.T).to(moment.dtype)
