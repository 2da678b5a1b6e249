# function: subject_key
# wrong: joins prefix and prompt with a space, so that each text has one too many
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = f"{prefix} {prompt}"
        last = model.subject_slice(text, subject).stop - 1
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        keys.append(seen.input[0, last])
    return torch.stack(keys).mean(dim=0)
