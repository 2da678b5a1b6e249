# function: editor_loss
# wrong: shifts the wanted tokens by one, as Hugging Face does with labels
import torch.nn.functional as F


def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    V = log_probs.size(-1)
    nll = F.nll_loss(
        log_probs[:, :-1].reshape(-1, V), wanted[:, 1:].reshape(-1), ignore_index=-100
    )
    kl = F.kl_div(other_log_probs, other_log_probs_before, log_target=True, reduction="batchmean")
    return nll + kl_weight * kl
