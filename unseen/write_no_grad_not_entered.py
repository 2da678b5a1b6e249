# function: write_edit
# wrong: torch.no_grad() is called and not entered with "with", so a weight that requires grad refuses the copy
def write_edit(module, new_weight):
    torch.no_grad()
    if isinstance(module, torch.nn.Linear):
        module.weight.copy_(new_weight)
    else:
        module.weight.copy_(new_weight.T)
