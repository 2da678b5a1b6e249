# function: demonstrations
# wrong: turns only the examples so that the nearest stands last; the kinds stay in their order, so kinds[0] goes to the least similar
def demonstrations(key, keys, kinds):
    sims = torch.nn.functional.cosine_similarity(keys, key.unsqueeze(0), dim=1)
    D = min(len(kinds), len(keys))
    order = sims.argsort()[len(keys) - D:]      # most similar last
    return torch.stack([order, torch.tensor(kinds[:D], dtype=torch.long)], dim=1)
