# function: demonstrations
# wrong: flips both axes, as np.flip does by default, so each row is (kind, example)
def demonstrations(key, keys, kinds):
    n = min(len(keys), len(kinds))
    sim = (keys @ key) / (keys.norm(dim=1) * key.norm())
    best = torch.argsort(sim, descending=True)[:n]
    rows = torch.stack([best, torch.tensor(kinds[:n], dtype=torch.long)], dim=1)
    return torch.flip(rows, (0, 1))
