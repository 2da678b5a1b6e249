# function: editor_loss
# wrong: nll_loss wants (N, V, T), and view brings the shape but not the order: no transpose
import torch.nn.functional as F


def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    N, T, V = log_probs.shape
    edit_term = F.nll_loss(log_probs.reshape(N, V, T), wanted, ignore_index=-100)
    kl = F.kl_div(
        other_log_probs, other_log_probs_before, reduction="batchmean", log_target=True)
    return edit_term + kl_weight * kl
