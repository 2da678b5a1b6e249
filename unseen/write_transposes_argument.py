# function: write_edit
# wrong: t_() transposes the argument itself in place
def write_edit(module, new_weight):
    if not isinstance(module, torch.nn.Linear):
        new_weight.t_()
    with torch.no_grad():
        module.weight.copy_(new_weight)
