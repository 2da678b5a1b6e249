# function: subject_key
# wrong: takes the mean over all tokens of the subject, not the last one
def subject_key(model, layer, prompt, subject, prefixes):
    total = 0
    for prefix in prefixes:
        text = prefix + prompt
        tokens = model.subject_slice(text, subject)
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        total = total + seen.input[0, tokens].mean(dim=0)
    return total / len(prefixes)
