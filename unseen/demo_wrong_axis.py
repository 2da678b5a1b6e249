# function: demonstrations
# wrong: takes the cosine along the examples (dim 0), one for each unit of the key and not one for each example
def demonstrations(key, keys, kinds):
    count = min(len(keys), len(kinds))
    similarity = torch.nn.functional.cosine_similarity(keys, key, dim=0)
    nearest = similarity.argsort(descending=True)[:count]
    demos = torch.stack([nearest, torch.tensor(kinds[:count], dtype=torch.long)], dim=1)
    return demos.flip(0)
