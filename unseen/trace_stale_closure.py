# function: trace
# wrong: the lambda looks up `each` when it is called, so every module of the window gets the last one's clean output
from contextlib import ExitStack


def corrupt(embeddings, subject, noise):
    corrupted = embeddings.repeat(len(noise), 1, 1)
    corrupted[:, subject] += noise
    return corrupted


def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[:, position] = clean[position]
    return restored


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(l))) for l in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()
    clean = [s.output[0] for s in seen]

    result = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                todo = [layer]
            else:
                start = layer - window // 2
                todo = [l for l in range(start, start + window) if 0 <= l < model.n_layers]
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for each in todo:
                    stack.enter_context(edit(part(each), lambda h: restore(h, clean[each], position)))
                probs = model.next_token_probabilities([prompt] * len(noise))
            result[i, j] = probs[:, answer].mean()
    return result
