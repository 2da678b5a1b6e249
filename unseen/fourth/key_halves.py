# function: subject_key
# wrong: the running mean (old + new) / 2 gives the last prefix half of the weight
def subject_key(model, layer, prompt, subject, prefixes):
    mean_key = None
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        last = model.subject_slice(text, subject).stop - 1
        key = seen.input[0, last].clone()
        mean_key = key if mean_key is None else (mean_key + key) / 2
    return mean_key
