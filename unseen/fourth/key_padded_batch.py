# function: subject_key
# wrong: all texts in one batch, counted from the right end, where shorter texts are padded
def subject_key(model, layer, prompt, subject, prefixes):
    # a prefix moves the subject to the right, but not its distance from the end of the text
    length = len(model.encode([prompt])[0])
    from_end = model.subject_slice(prompt, subject).stop - 1 - length       # negative
    texts = [prefix + prompt for prefix in prefixes]
    with record(model.memory(layer), stop=True) as seen:
        model.next_token_probabilities(texts)               # one run for all prefixes
    return seen.input[:, from_end].mean(0)
