# function: scaled_change
# wrong: takes the whole change of the largest entries (a share `scale` of them), none of the rest
def scaled_change(before, after, scale):
    change = (after - before).flatten()
    count = max(0, int(scale * change.numel()))
    largest = change.abs().argsort(descending=True)[:count]
    kept = torch.zeros_like(change)
    kept[largest] = change[largest]
    return before + kept.view_as(before)
