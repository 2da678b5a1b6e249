# function: trace
# wrong: cuts the window off at n_layers - 1 as an exclusive end, so the last layer is never restored in a window
from contextlib import ExitStack
from functools import partial


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

    last_layer = model.n_layers - 1
    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                chosen = [layer]
            else:
                start = max(0, layer - window // 2)
                end = min(last_layer, layer + window - window // 2)
                chosen = list(range(start, end))
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for l in chosen:
                    stack.enter_context(
                        edit(part(l), partial(restore, clean=seen[l].output[0], position=position)))
                values[i, j] = model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()
    return values
