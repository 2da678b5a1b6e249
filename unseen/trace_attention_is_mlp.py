# function: trace
# wrong: treats everything but "state" as "mlp", so "attention" restores the MLPs
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
    def module(l):
        return model.block(l) if kind == "state" else model.mlp(l)

    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(module(l))) for l in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax().item()

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            before, after = (0, 1) if kind == "state" else (window // 2, window - window // 2)
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for l in range(max(0, layer - before), min(model.n_layers, layer + after)):
                    stack.enter_context(
                        edit(module(l), partial(restore, clean=seen[l].output[0], position=position)))
                p = model.next_token_probabilities([prompt] * len(noise))
            values[i, j] = p[:, answer].mean()
    return values
