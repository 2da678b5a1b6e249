# function: sequence_nll
# wrong: collects python floats with .item() and makes a new tensor of them, so no gradient flows
def sequence_nll(logits, target_ids):
    losses = []
    for i in range(len(target_ids)):
        p = torch.softmax(logits[i], dim=0)[target_ids[i]]
        losses.append(-torch.log(p).item())
    return torch.tensor(losses).mean()
