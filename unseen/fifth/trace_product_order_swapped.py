# function: trace
# wrong: loops over layers outside and positions inside, then views it as positions x layers
from contextlib import ExitStack
from functools import partial
from itertools import product


def corrupt(embeddings, subject, noise):
    x = embeddings.detach().repeat(len(noise), 1, 1)
    x[:, subject] += noise
    return x


# %%
def restore(hidden, clean, position):
    out = hidden.clone()
    out[:, position] = clean[position]
    return out


# %%
def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    span, n = model.subject_slice(prompt, subject), len(noise)
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]

    def window_of(layer):
        if kind == "state":
            return [layer]
        low, high = layer - window // 2, layer + window - window // 2
        return range(max(0, low), min(model.n_layers, high))

    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(i))) for i in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    def cell(layer, position):
        with ExitStack() as stack:
            stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
            for i in window_of(layer):
                patch = partial(restore, clean=seen[i].output[0], position=position)
                stack.enter_context(edit(part(i), patch))
            return model.next_token_probabilities([prompt] * n)[:, answer].mean()

    cells = [cell(layer, position) for layer, position in product(layers, positions)]
    return torch.stack(cells).view(len(positions), len(layers))
