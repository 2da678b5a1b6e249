# function: subject_key
# wrong: brings each key to length one before the mean, so that "no prefix dominates"
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        last = model.subject_slice(text, subject).stop - 1
        key = seen.input[0, last]
        keys.append(key / key.norm())
    return torch.stack(keys).mean(0)
