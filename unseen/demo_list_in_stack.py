# function: demonstrations
# wrong: torch.stack gets a list of ints beside a tensor
def demonstrations(key, keys, kinds):
    count = min(len(keys), len(kinds))
    similarity = torch.cosine_similarity(keys, key[None])
    nearest = similarity.topk(count).indices
    return torch.stack([nearest, kinds[:count]], dim=1).flip(0)
