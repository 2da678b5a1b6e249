# function: trace
# wrong: trusts slicing to cut the window off, but a negative start counts from the top layer
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
    every = list(range(model.n_layers))
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(each))) for each in every]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                chosen = [layer]
            else:
                start = layer - window // 2
                chosen = every[start:start + window]    # a slice ends by itself at the last layer
            with ExitStack() as stack:
                stack.enter_context(edit(
                    model.embedding, lambda embeddings: corrupt(embeddings[0], span, noise)))
                for each in chosen:
                    clean = seen[each].output[0]
                    stack.enter_context(
                        edit(part(each), partial(restore, clean=clean, position=position)))
                probabilities = model.next_token_probabilities([prompt] * len(noise))
            values[i, j] = probabilities[:, answer].mean()
    return values
