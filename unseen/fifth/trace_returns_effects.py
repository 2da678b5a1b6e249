# function: trace
# wrong: returns indirect effects (minus the corrupted run), not the probabilities
def corrupt(embeddings, subject, noise):
    copies = embeddings.unsqueeze(0).repeat(noise.shape[0], 1, 1)
    copies[:, subject] = copies[:, subject] + noise
    return copies


# %%
def restore(hidden, clean, position):
    restored = hidden.clone()
    restored[:, position] = clean[position]
    return restored


# %%
from contextlib import ExitStack
from functools import partial


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    n = len(noise)
    span = model.subject_slice(prompt, subject)

    # 1. the clean run
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(l))) for l in range(model.n_layers)]
        clean = model.next_token_probabilities([prompt])[0]
    answer = clean.argmax()
    states = [s.output[0] for s in seen]

    def cover(embeddings):
        return corrupt(embeddings[0], span, noise)

    # 2. the corrupted run
    with edit(model.embedding, cover):
        corrupted = model.next_token_probabilities([prompt] * n)[:, answer]

    # 3. the corrupted run with one state restored
    result = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                chosen = [layer]
            else:
                first = max(0, layer - window // 2)
                stop = min(model.n_layers, layer + window - window // 2)
                chosen = range(first, stop)
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, cover))
                for each in chosen:
                    put = partial(restore, clean=states[each], position=position)
                    stack.enter_context(edit(part(each), put))
                probs = model.next_token_probabilities([prompt] * n)
            result[i, j] = (probs[:, answer] - corrupted).mean()
    return result
