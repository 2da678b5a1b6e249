# function: trace
# wrong: skips tokens before the subject and leaves 0 there, not the corrupted run's probability
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
    if kind == "state":
        part, before, after = model.block, 0, 1
    else:
        part = model.mlp if kind == "mlp" else model.attention
        before, after = window // 2, window - window // 2
    span = model.subject_slice(prompt, subject)

    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(each))) for each in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()
    clean = [each.output[0] for each in seen]

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        if position < span.start:
            continue        # nothing is corrupted here, so there is nothing to restore
        for j, layer in enumerate(layers):
            first, stop = max(0, layer - before), min(model.n_layers, layer + after)
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                for each in range(first, stop):
                    stack.enter_context(
                        edit(part(each), partial(restore, clean=clean[each], position=position)))
                p = model.next_token_probabilities([prompt] * len(noise))[:, answer]
            values[i, j] = p.mean()
    return values
