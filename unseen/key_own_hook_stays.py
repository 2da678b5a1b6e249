# function: subject_key
# wrong: registers a hook of its own and never removes it, so the model keeps the hook
def subject_key(model, layer, prompt, subject, prefixes):
    captured = {}

    def hook(module, inputs, output):
        captured["key"] = inputs[0].detach()

    model.memory(layer).register_forward_hook(hook)
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        model.next_token_probabilities([text])
        last = model.subject_slice(text, subject).stop - 1
        keys.append(captured["key"][0, last].clone())
    return torch.stack(keys).mean(0)
