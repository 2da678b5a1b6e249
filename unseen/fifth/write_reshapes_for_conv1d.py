# function: write_edit
# wrong: for a Conv1D it reshapes the matrix to (d_in, d_out), does not transpose it
def write_edit(module, new_weight):
    d_out, d_in = new_weight.shape
    with torch.no_grad():
        if isinstance(module, torch.nn.Linear):
            module.weight.copy_(new_weight)
        else:
            module.weight.copy_(new_weight.reshape(d_in, d_out))
