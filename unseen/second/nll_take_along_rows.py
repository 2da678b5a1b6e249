# function: sequence_nll
# wrong: jnp.take_along_axis turned into gather along axis 0: picks rows by token ids
def sequence_nll(logits, target_ids):
    log_probs = torch.log_softmax(logits, dim=-1)
    picked = log_probs.gather(0, target_ids.unsqueeze(0))
    return -picked.mean()
