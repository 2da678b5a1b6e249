# function: write_edit
# wrong: reshapes to the stored shape instead of transposing, which scrambles the matrix of a Conv1D
def write_edit(module, new_weight):
    with torch.no_grad():
        module.weight.copy_(new_weight.reshape(module.weight.shape))
