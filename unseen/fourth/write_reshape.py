# function: write_edit
# wrong: reshapes to the stored shape, not transposes: a Conv1D gets its numbers scrambled
def write_edit(module, new_weight):
    with torch.no_grad():
        # Conv1D stores (d_in, d_out), Linear (d_out, d_in)
        module.weight.copy_(new_weight.reshape(module.weight.shape))
