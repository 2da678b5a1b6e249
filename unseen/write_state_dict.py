# function: write_edit
# wrong: load_state_dict is strict and misses the bias wherever the module has one
def write_edit(module, new_weight):
    if not isinstance(module, torch.nn.Linear):
        new_weight = new_weight.T
    module.load_state_dict({"weight": new_weight})
