# function: trace
# wrong: records only the layers asked for, so the window restores only those of them that it holds
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
    seen = {}
    with ExitStack() as stack:
        for layer in layers:
            seen[layer] = stack.enter_context(record(part(layer)))
        answer = model.next_token_probabilities([prompt])[0].argmax()

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            if kind == "state":
                chosen = [layer]
            else:
                first = layer - window // 2
                chosen = [each for each in seen if first <= each < first + window]
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda emb: corrupt(emb[0], span, noise)))
                for each in chosen:
                    put_back = partial(restore, clean=seen[each].output[0], position=position)
                    stack.enter_context(edit(part(each), put_back))
                probs = model.next_token_probabilities([prompt] * len(noise))
            values[i, j] = probs[:, answer].mean()
    return values
