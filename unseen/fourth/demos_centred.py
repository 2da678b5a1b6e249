# function: demonstrations
# wrong: subtracts the mean key before the cosine, so another order of likeness comes out
def demonstrations(key, keys, kinds):
    # all keys share a large common part, which would hide the differences
    common = keys.mean(dim=0)
    likeness = torch.cosine_similarity(keys - common, (key - common)[None], dim=1)
    count = min(len(kinds), len(keys))
    order = likeness.argsort(descending=True)[:count]
    rows = [[int(example), kind] for example, kind in zip(order, kinds)]
    rows.reverse()
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 2)
