# function: subject_key
# wrong: input[:, last] pairs every prompt with every position, not each with its own
def subject_key(model, layer, prompt, subject, prefixes):
    texts = [prefix + prompt for prefix in prefixes]
    last = torch.tensor([model.subject_slice(text, subject).stop - 1 for text in texts])
    with record(model.memory(layer), stop=True) as seen:
        model.next_token_probabilities(texts)
    return seen.input[:, last].flatten(0, 1).mean(0)
