# function: trace
# wrong: the window's end is counted from its clipped beginning, so it slides up at the low layers
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
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    width = 1 if kind == "state" else window
    rows = []
    for position in positions:
        row = []
        for layer in layers:
            first = max(0, layer - width // 2)
            stop = min(model.n_layers, first + width)
            with ExitStack() as stack:
                stack.enter_context(
                    edit(model.embedding, lambda emb: corrupt(emb[0], span, noise)))
                for each in range(first, stop):
                    put_back = partial(restore, clean=seen[each].output[0], position=position)
                    stack.enter_context(edit(part(each), put_back))
                probs = model.next_token_probabilities([prompt] * len(noise))
            row.append(probs[:, answer].mean())
        rows.append(torch.stack(row))
    return torch.stack(rows)
