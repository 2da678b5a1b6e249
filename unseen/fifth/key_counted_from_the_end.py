# function: subject_key
# wrong: counts the position from the end, but the batch is padded right
def subject_key(model, layer, prompt, subject, prefixes):
    texts = [prefix + prompt for prefix in prefixes]
    lengths = [len(ids) for ids in model.encode(texts)]
    stops = [model.subject_slice(text, subject).stop for text in texts]
    offsets = torch.tensor([stop - 1 - length for stop, length in zip(stops, lengths)])
    with record(model.memory(layer), stop=True) as seen:
        model.next_token_probabilities(texts)
    return seen.input[torch.arange(len(texts)), offsets].mean(dim=0)
