# function: trace
# wrong: one stack for a whole row of the map, so what earlier layers restored stays restored
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
        clean = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    def cover(embeddings):
        return corrupt(embeddings[0], span, noise)

    result = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        with ExitStack() as stack:
            # the corruption is the same for the whole row
            stack.enter_context(edit(model.embedding, cover))
            for j, layer in enumerate(layers):
                if kind == "state":
                    span_of_layers = [layer]
                else:
                    low = max(0, layer - window // 2)
                    high = min(model.n_layers, layer + window - window // 2)
                    span_of_layers = range(low, high)
                for each in span_of_layers:
                    back = partial(restore, clean=clean[each].output[0], position=position)
                    stack.enter_context(edit(part(each), back))
                probabilities = model.next_token_probabilities([prompt] * len(noise))
                result[i, j] = probabilities[:, answer].mean()
    return result
