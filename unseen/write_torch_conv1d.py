# function: write_edit
# wrong: torch.nn.Conv1d is torch's convolution, not GPT-2's Conv1D, so nothing is ever transposed
def write_edit(module, new_weight):
    if isinstance(module, torch.nn.Conv1d):
        new_weight = new_weight.T
    with torch.no_grad():
        module.weight.copy_(new_weight)
