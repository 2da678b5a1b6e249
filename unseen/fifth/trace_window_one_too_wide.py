# function: trace
# wrong: the window reaches one layer too far: up to l + w//2 inclusive, 11 layers for w = 10
from contextlib import ExitStack
from functools import partial


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
def get_window(layer, window, n_layers):
    half = window // 2
    return list(range(max(0, layer - half), min(n_layers, layer + half + 1)))


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    get_module = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    subject_range = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        hooks = {i: stack.enter_context(record(get_module(i))) for i in range(model.n_layers)}
        base = model.next_token_probabilities([prompt])[0]
    cache = {i: hook.output[0].clone() for i, hook in hooks.items()}
    answer_t = base.argmax().item()

    table = torch.zeros(len(positions), len(layers))
    for i, tnum in enumerate(positions):
        for j, layer in enumerate(layers):
            todo = [layer] if kind == "state" else get_window(layer, window, model.n_layers)
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda x: corrupt(x[0], subject_range, noise)))
                for l in todo:
                    stack.enter_context(
                        edit(get_module(l), partial(restore, clean=cache[l], position=tnum)))
                probs = model.next_token_probabilities([prompt] * noise.shape[0])
            table[i, j] = probs.mean(dim=0)[answer_t]
    return table
