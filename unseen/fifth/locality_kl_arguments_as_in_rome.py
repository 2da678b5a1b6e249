# function: locality_loss
# wrong: F.kl_div(before, now) is KL(now || before), the other direction
import torch.nn.functional as F


def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    kl = F.kl_div(log_probs_before, log_probs, log_target=True, reduction="batchmean")
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
