# function: editor_loss
# wrong: F.kl_div gets log probabilities as its target without log_target=True
import torch.nn.functional as F


def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    nll = F.nll_loss(log_probs.flatten(0, 1), wanted.flatten(), ignore_index=-100)
    kl = F.kl_div(other_log_probs, other_log_probs_before, reduction="batchmean")
    return nll + kl_weight * kl
