# function: demonstrations
# wrong: turns `kinds` round before cutting: with fewer examples than kinds the wrong ones stay
def demonstrations(key, keys, kinds):
    kinds = torch.tensor(kinds).flip(0)         # the most similar fact is last in the text
    likeness = torch.cosine_similarity(keys, key[None], dim=1)
    order = likeness.argsort(descending=True)[:len(kinds)].flip(0)
    return torch.stack([order, kinds[:len(order)]], dim=1)
