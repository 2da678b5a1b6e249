# function: subject_key
# wrong: mean of the bare prompt's key and the prefixed keys' mean: half the weight on the bare one
def key_at_subject(model, layer, text, subject):
    with record(model.memory(layer), stop=True) as seen:
        model.next_token_probabilities([text])
    last = model.subject_slice(text, subject).stop - 1
    return seen.input[0, last]


def subject_key(model, layer, prompt, subject, prefixes):
    # as in MEMIT's compute_ks: average within each kind of context, then over the kinds
    groups = [
        [prefix for prefix in prefixes if prefix == ""],
        [prefix for prefix in prefixes if prefix != ""],
    ]
    means = []
    for group in groups:
        if group:
            keys = [key_at_subject(model, layer, prefix + prompt, subject) for prefix in group]
            means.append(torch.stack(keys).mean(dim=0))
    return torch.stack(means).mean(dim=0)
