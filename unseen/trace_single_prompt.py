# function: trace
# wrong: runs the prompt once and not n times, so only the first sample's probability is read
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

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            first, stop = layer, layer + 1
            if kind != "state":
                first, stop = max(0, layer - window // 2), min(model.n_layers, layer + window - window // 2)
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for l in range(first, stop):
                    stack.enter_context(
                        edit(part(l), partial(restore, clean=seen[l].output[0], position=position)))
                values[i, j] = model.next_token_probabilities([prompt])[:, answer].mean()
    return values
