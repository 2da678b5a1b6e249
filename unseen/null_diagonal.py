# function: null_space_projector
# wrong: looks at the diagonal of C, so it projects onto units and not onto eigenvectors
def null_space_projector(moment, threshold):
    unused = moment.diagonal() < threshold
    return torch.diag(unused.to(moment.dtype))
