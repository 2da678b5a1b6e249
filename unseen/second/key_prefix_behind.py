# function: subject_key
# wrong: puts the prefix behind the prompt, so the subject does not see it
def subject_key(model, layer, prompt, subject, prefixes):
    total = 0
    for prefix in prefixes:
        text = prompt + prefix
        where = model.subject_slice(text, subject)
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        total = total + seen.input[0, where.stop - 1]
    return total / len(prefixes)
