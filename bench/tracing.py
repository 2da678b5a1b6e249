"""Whole causal maps by the oracle's sweep, beside the textbook loop: one forward of the whole model for every cell, last token's logits only."""

import resource
from contextlib import ExitStack
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode

from autograder.grade import Grader, grade_submission
from autograder.oracle import tracing
from autograder.secret import TEST_SECRET
from bench.row import Row, matrix_rate, timed
from keyhole.hooks import edit, record
from keyhole.models import load_model
from keyhole.paths import data_folder
from keyhole.tracing import MAP_KINDS, subject_noise

PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "Eiffel Tower"
EVERY = 13  # the textbook loop costs the same for every cell: one in so many is run, and the time multiplied
LONG = (
    "Many people who travel to France in summer, some of them for the first time, want to see the"
    " tower, and so they ask at the station where it is, how far one has to walk, and whether there"
    " is a train that goes to the city of"
)


def textbook(model, prompt, subject, noise, cells, kind, window=10):
    """The values of some (position, layer) cells, one whole run each."""
    parts, span = (
        {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind],
        model.subject_slice(prompt, subject),
    )
    with ExitStack() as stack:
        seen = [stack.enter_context(record(parts(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    def put(output, clean, position):
        changed = output.clone()
        changed[:, position] = clean[position]
        return changed

    values = []
    for position, layer in cells:
        first, stop = (
            (layer, layer + 1)
            if kind == "state"
            else tracing.window_of(layer, window, model.n_layers)
        )
        with ExitStack() as stack:
            stack.enter_context(
                edit(
                    model.embedding,
                    lambda embeddings: tracing.corrupt(embeddings[0], span, noise).to(embeddings),
                )
            )
            for each in range(first, stop):
                stack.enter_context(
                    edit(parts(each), partial(put, clean=seen[each].output[0], position=position))
                )
            values.append(
                model.next_token_probabilities([prompt] * len(noise))[:, answer].mean().item()
            )
    return torch.tensor(values)


def operations(model, prompt, subject, noise, kind):
    """Floating-point operations of a whole map's matrix products: counted with one sample, since they grow in proportion."""
    with FlopCounterMode(display=False) as counter:
        tracing.causal_map(model, prompt, subject, kind, noise=noise[:1])
    return counter.get_total_flops() * len(noise)


def rows():
    model, rate = load_model(), matrix_rate()
    noise, tokens = subject_noise(model, PROMPT, SUBJECT), len(model.encode([PROMPT])[0])
    cells = [(position, layer) for position in range(tokens) for layer in range(model.n_layers)]
    model.next_token_probabilities([PROMPT] * len(noise))
    for kind in MAP_KINDS:
        found, seconds = timed(
            partial(tracing.causal_map, model, PROMPT, SUBJECT, kind, noise=noise)
        )
        some, textbook_seconds = timed(
            partial(textbook, model, PROMPT, SUBJECT, noise, cells[::EVERY], kind)
        )
        difference = max(
            abs(float(found.values[cell]) - float(value))
            for cell, value in zip(cells[::EVERY], some)
        )
        work = operations(model, PROMPT, SUBJECT, noise, kind)
        yield Row(
            f"whole map, {kind}, {tokens} tokens x {model.n_layers} layers x {len(noise)} samples",
            seconds,
            textbook_seconds * len(cells) / len(cells[::EVERY]),
            "4.7 times" if kind == "state" else "4 times",
            (
                (
                    f"{work / 1e12:.2f} TFLOP at {work / seconds / 1e9:.0f} GFLOP/s:"
                    f" {100 * work / seconds / 1e9 / rate:.0f} % of the matrix rate; largest"
                    f" difference {difference:.0e}"
                ),
            ),
        )
    ids = model.encode([LONG])[0]
    for length in (8, 16, 24, 32, 40):
        prompt = model.tokenizer.decode(ids[:length])
        some_noise = subject_noise(model, prompt, "people")
        _, seconds = timed(partial(tracing.causal_map, model, prompt, "people", noise=some_noise))
        yield Row(f"whole map of states, {length} tokens", seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    for layers in (8, 15, 30):
        _, seconds = timed(
            partial(tracing.trace, model, PROMPT, SUBJECT, noise, range(tokens), range(layers))
        )
        yield Row(f"map of states, {tokens} tokens, layers 0 to {layers - 1}", seconds)
    grader = Grader(secret=TEST_SECRET)
    grader.model()
    folder = data_folder() / "sample_class" / "ada-complete" / "model_editing"
    grade_submission(folder, "ada", grader, only="2_locate")
    _, seconds = timed(partial(grade_submission, folder, "ada", grader, only="2_locate"))
    yield Row(
        "grade 2_locate of one submission, after the first",
        seconds,
        target="at most 8 s",
        notes=(
            f"peak memory after the map of 40 tokens: {peak:.2f} GB, the model's 0.54 GB included",
        ),
    )
