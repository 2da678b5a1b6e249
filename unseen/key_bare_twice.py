# function: subject_key
# wrong: adds the bare prompt although the empty prefix is among the prefixes, so it counts twice
def subject_key(model, layer, prompt, subject, prefixes):
    texts = [prompt] + [prefix + prompt for prefix in prefixes]
    keys = []
    for text in texts:
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        end = model.subject_slice(text, subject).stop
        keys.append(seen.input[0, end - 1])
    return sum(keys) / len(keys)
