# function: subject_key
# wrong: runs all texts as one batch and reads all of them at the last text's position
def subject_key(model, layer, prompt, subject, prefixes):
    texts = [prefix + prompt for prefix in prefixes]
    with record(model.memory(layer), stop=True) as seen:
        model.next_token_probabilities(texts)
    for text in texts:
        last = model.subject_slice(text, subject).stop - 1
    return seen.input[:, last].mean(0)
