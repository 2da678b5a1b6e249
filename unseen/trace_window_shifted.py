# function: trace
# wrong: at the first and last layers the window is shifted inwards so that it keeps its width, instead of being cut off
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

    width = 1 if kind == "state" else min(window, model.n_layers)
    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            # keep the window inside the model
            first = min(max(layer - width // 2, 0), model.n_layers - width)
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for l in range(first, first + width):
                    stack.enter_context(
                        edit(part(l), partial(restore, clean=seen[l].output[0], position=position)))
                values[i, j] = model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()
    return values
