# function: rate_update
# wrong: no minus sign, so the step makes the loss larger
def rate_update(gradient, rates):
    per_weight = rates if rates.ndim == 2 else rates[:, None].expand_as(gradient)
    return torch.einsum("oi,oi->oi", per_weight, gradient)
