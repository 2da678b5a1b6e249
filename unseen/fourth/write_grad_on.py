# function: write_edit
# wrong: switches requires_grad off to write, then always on, also where it had been off
def write_edit(module, new_weight):
    stored = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
    # "a leaf Variable that requires grad is being used in an in-place operation"
    module.weight.requires_grad = False
    module.weight.copy_(stored)
    module.weight.requires_grad = True
