# function: rate_update
# wrong: sends the rates through softplus, "since a learning rate must be positive"
def rate_update(gradient, rates):
    positive = torch.nn.functional.softplus(rates)
    if positive.dim() == 1:
        positive = positive[:, None]
    return -positive * gradient
