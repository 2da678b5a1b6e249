# function: demonstrations
# wrong: uses every example and repeats the kinds in a cycle, instead of stopping when the kinds are used up
def demonstrations(key, keys, kinds):
    similarity = torch.cosine_similarity(keys, key[None])
    ranking = similarity.argsort(descending=True).tolist()
    rows = [(example, kinds[i % len(kinds)]) for i, example in enumerate(ranking)]
    return torch.tensor(rows[::-1])
