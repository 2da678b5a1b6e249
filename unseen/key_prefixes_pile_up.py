# function: subject_key
# wrong: overwrites prompt in the loop, so each text begins with all earlier prefixes, too
def subject_key(model, layer, prompt, subject, prefixes):
    total = 0
    for prefix in prefixes:
        prompt = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([prompt])
        last = model.subject_slice(prompt, subject).stop - 1
        total = total + seen.input[0, last]
    return total / len(prefixes)
