# function: demonstrations
# wrong: turns the examples round, not the kinds: kinds[0] goes to the least similar
def demonstrations(key, keys, kinds):
    similar = torch.cosine_similarity(keys, key[None], dim=1)
    D = min(len(kinds), len(keys))
    examples = similar.argsort(descending=True)[:D].flip(0)
    return torch.stack([examples, torch.tensor(kinds[:D], dtype=torch.long)], dim=1)
