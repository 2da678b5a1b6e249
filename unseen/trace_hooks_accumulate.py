# function: trace
# wrong: one ExitStack for a whole row, so the states of earlier layers stay restored in the later cells
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
    n = len(noise)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(l))) for l in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    rows = []
    for position in positions:
        row = []
        with ExitStack() as stack:
            stack.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
            for layer in layers:
                if kind == "state":
                    first, stop = layer, layer + 1
                else:
                    first = max(0, layer - window // 2)
                    stop = min(model.n_layers, layer + window - window // 2)
                for l in range(first, stop):
                    hook = partial(restore, clean=seen[l].output[0], position=position)
                    stack.enter_context(edit(part(l), hook))
                row.append(model.next_token_probabilities([prompt] * n)[:, answer].mean())
        rows.append(torch.stack(row))
    return torch.stack(rows)
