# function: trace
# wrong: a window that reaches over the edge is moved inwards, not cut off
from contextlib import ExitStack
from functools import partial


def corrupt(embeddings, subject, noise):
    out = embeddings[None].repeat(noise.shape[0], 1, 1)
    out[:, subject] = out[:, subject] + noise
    return out


def restore(hidden, clean, position):
    out = hidden.clone()
    out[:, position] = clean[position]
    return out


def window_around(layer, window, n_layers):
    start = min(layer - window // 2, n_layers - window)
    start = max(start, 0)
    return range(start, min(start + window, n_layers))


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    modules = {"state": model.block, "mlp": model.mlp, "attention": model.attention}
    get = modules[kind]
    span = model.subject_slice(prompt, subject)
    n = noise.shape[0]

    with ExitStack() as stack:
        records = [stack.enter_context(record(get(l))) for l in range(model.n_layers)]
        answer = int(model.next_token_probabilities([prompt])[0].argmax())

    values = torch.empty(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                to_restore = [layer]
            else:
                to_restore = window_around(layer, window, model.n_layers)
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda x: corrupt(x[0], span, noise)))
                for l in to_restore:
                    hook = partial(restore, clean=records[l].output[0], position=position)
                    stack.enter_context(edit(get(l), hook))
                p = model.next_token_probabilities([prompt] * n)
            values[i, j] = p[:, answer].mean()
    return values
