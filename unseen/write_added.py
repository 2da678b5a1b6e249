# function: write_edit
# wrong: adds the new matrix onto the old weight, as if it were the change
def write_edit(module, new_weight):
    update = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
    with torch.no_grad():
        module.weight += update
