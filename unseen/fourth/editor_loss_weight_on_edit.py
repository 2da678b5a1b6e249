# function: editor_loss
# wrong: the weight stands before the edit term, as MEND's c_edit does, not before the KL
import torch.nn.functional as F


def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    edit_loss = F.nll_loss(log_probs.reshape(-1, log_probs.shape[-1]), wanted.reshape(-1),
                           ignore_index=-100)
    locality = F.kl_div(other_log_probs, other_log_probs_before, reduction="batchmean",
                        log_target=True)
    return kl_weight * edit_loss + locality
