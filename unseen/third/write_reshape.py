# function: write_edit
# wrong: reshapes to the stored shape where a Conv1D needs the transpose
def write_edit(module, new_weight):
    with torch.no_grad():
        module.weight.copy_(new_weight.reshape(module.weight.shape))
