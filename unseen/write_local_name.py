# function: write_edit
# wrong: binds a local name to the new numbers, so nothing is written into the module
def write_edit(module, new_weight):
    weight = module.weight
    with torch.no_grad():
        if isinstance(module, torch.nn.Linear):
            weight = new_weight.clone()
        else:
            weight = new_weight.T.clone()
