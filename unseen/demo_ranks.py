# function: demonstrations
# wrong: a second argsort gives the rank of each fact, not the number of the fact that has a rank
def demonstrations(key, keys, kinds):
    count = min(len(kinds), len(keys))
    sims = torch.cosine_similarity(keys, key[None], dim=-1)
    ranks = sims.argsort(descending=True).argsort()
    rows = [[int(ranks[i]), kinds[i]] for i in range(count)]
    return torch.tensor(rows[::-1], dtype=torch.long).reshape(-1, 2)
