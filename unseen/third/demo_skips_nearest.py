# function: demonstrations
# wrong: drops the most similar example, taking it for the new fact itself
def demonstrations(key, keys, kinds):
    count = min(len(keys) - 1, len(kinds))
    likeness = torch.cosine_similarity(keys, key[None])
    # the nearest neighbour of a key is the key itself, so begin with the second
    nearest = likeness.argsort(descending=True)[1:count + 1]
    return torch.stack([nearest, torch.tensor(kinds[:count])], dim=1).flip(0)
