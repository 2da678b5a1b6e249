# function: rank_one_update
# wrong: divides by 1 + kᵀC⁻¹k (least squares in steps, MEMIT for one fact), not by kᵀC⁻¹k
def rank_one_update(weight, moment, key, value):
    k = key.double()
    direction = torch.linalg.solve(moment.double(), k)
    residual = value.double() - weight.double() @ k
    change = torch.outer(residual, direction) / (1 + direction @ k)     # Sherman-Morrison
    return weight + change.to(weight.dtype)
