# function: subject_key
# wrong: halves the sum at each step, so later prefixes weigh more than earlier ones
def subject_key(model, layer, prompt, subject, prefixes):
    key = None
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        pos = model.subject_slice(text, subject).stop - 1
        new = seen.input[0, pos]
        key = new if key is None else (key + new) / 2
    return key
