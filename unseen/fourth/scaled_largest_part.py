# function: scaled_change
# wrong: takes the largest entries of the change whole (a share `scale` of them), not scaled ones
def scaled_change(before, after, scale):
    change = (after - before).flatten()
    keep = round(min(max(float(scale), 0.0), 1.0) * change.numel())
    part = torch.zeros_like(change)
    largest = change.abs().argsort(descending=True)[:keep]
    part[largest] = change[largest]
    return before + part.reshape(before.shape)
