# function: write_edit
# wrong: sets the bias to zero too, "so that the output is exactly v*"
def write_edit(module, new_weight):
    with torch.no_grad():
        if isinstance(module, torch.nn.Linear):
            module.weight.copy_(new_weight)
        else:
            module.weight.copy_(new_weight.T)
        if module.bias is not None:
            module.bias.zero_()
