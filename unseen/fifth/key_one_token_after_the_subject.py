# function: subject_key
# wrong: reads at slice.stop, the token after the subject's last one
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        last = model.subject_slice(text, subject).stop
        keys.append(seen.input[0, last])
    return torch.stack(keys).mean(dim=0)
