# function: trace
# wrong: the recording hooks stay on during the cells, so what is put back is the corrupted state of the first sample in the same run
from contextlib import ExitStack


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
    out = torch.zeros(len(positions), len(layers))
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(l))) for l in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

        for i, position in enumerate(positions):
            for j, layer in enumerate(layers):
                if kind == "state":
                    window_layers = [layer]
                else:
                    window_layers = range(max(0, layer - window // 2),
                                          min(model.n_layers, layer + window - window // 2))
                with ExitStack() as inner:
                    inner.enter_context(edit(model.embedding, lambda e: corrupt(e[0], span, noise)))
                    for l in window_layers:
                        def put_back(hidden, l=l):
                            return restore(hidden, seen[l].output[0], position)
                        inner.enter_context(edit(part(l), put_back))
                    out[i, j] = model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()
    return out
