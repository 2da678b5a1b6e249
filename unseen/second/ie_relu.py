# function: indirect_effect
# wrong: takes negative effects for 0, sample by sample: "an effect cannot be negative"
def indirect_effect(restored, corrupted):
    return torch.relu(restored - corrupted).mean()
