# function: trace
# wrong: loops over layers outside and positions inside, then views as (positions, layers)
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

    values = []
    for layer in layers:
        # the window depends on the layer only
        if kind == "state":
            chosen = [layer]
        else:
            low = max(0, layer - window // 2)
            high = min(model.n_layers, layer - window // 2 + window)
            chosen = range(low, high)
        for position in positions:
            with ExitStack() as stack:
                stack.enter_context(edit(
                    model.embedding, lambda embeddings: corrupt(embeddings[0], span, noise)))
                for each in chosen:
                    stack.enter_context(edit(part(each), partial(
                        restore, clean=seen[each].output[0], position=position)))
                result = model.next_token_probabilities([prompt] * len(noise))
            values.append(result[:, answer].mean())
    return torch.stack(values).view(len(positions), len(layers))
