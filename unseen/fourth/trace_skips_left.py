# function: trace
# wrong: skips tokens before the subject "as nothing changes there", and leaves 0 in their cells
from contextlib import ExitStack
from functools import partial


def corrupt(embeddings, subject, noise):
    corrupted = embeddings.repeat(len(noise), 1, 1)
    corrupted[:, subject] += noise
    return corrupted


# %%
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[:, position] = clean[position]
    return restored


# %%
def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        if position < span.start:
            continue            # nothing is corrupted before the subject: no effect, saves time
        for j, layer in enumerate(layers):
            first, last = layer, layer
            if kind != "state":
                first = max(layer - window // 2, 0)
                last = min(layer - window // 2 + window, model.n_layers) - 1
            with ExitStack() as stack:
                stack.enter_context(edit(
                    model.embedding, lambda embeddings: corrupt(embeddings[0], span, noise)))
                for each in range(first, last + 1):
                    stack.enter_context(edit(part(each), partial(
                        restore, clean=seen[each].output[0], position=position)))
                result = model.next_token_probabilities([prompt] * len(noise))
            values[i, j] = result[:, answer].mean()
    return values
