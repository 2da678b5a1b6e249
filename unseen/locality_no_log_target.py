# function: locality_loss
# wrong: kl_div takes its second argument for probabilities unless log_target=True, but gets log probabilities
import torch.nn.functional as F


def locality_loss(target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight):
    kl = F.kl_div(log_probs, log_probs_before, reduction="batchmean")
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
