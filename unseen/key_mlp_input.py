# function: subject_key
# wrong: records the input of the whole MLP, not that of its second matrix W
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.mlp(layer)) as seen:
            model.next_token_probabilities([text])
        last = model.subject_slice(text, subject).stop - 1
        keys.append(seen.input[0, last])
    return torch.stack(keys).mean(dim=0)
