# function: subject_key
# wrong: with stop=True the block ends when the module has run, so the lines behind the call in the block are never reached
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        idx = model.subject_slice(text, subject).stop - 1
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
            keys.append(seen.input[0, idx])
    return torch.stack(keys).mean(0)
