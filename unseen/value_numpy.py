# function: value_objective
# wrong: computes with numpy, which cannot take tensors that require grad and would cut the gradient
import numpy as np


def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
):
    now, before = kl_log_probs.numpy(), kl_log_probs_before.numpy()
    nll = -np.mean(target_log_probs.numpy())
    kl = np.sum(np.exp(now) * (now - before))
    size = np.linalg.norm(delta.numpy()) / np.linalg.norm(value_before.numpy()) ** 2
    return torch.tensor(nll + kl_weight * kl + decay * size)
