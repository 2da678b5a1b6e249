"""Whole causal maps by the oracle's sweep, beside the textbook loop.

The loop runs the whole model for every cell, with the logits of the last token only.
"""

import resource
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from autograder.grade import ASSIGNMENT, Grader, grade_submission
from autograder.oracle import tracing
from autograder.secret import TEST_SECRET
from bench.row import Row, matrix_rate, timed
from keyhole.hooks import edit, record
from keyhole.models import EditableModel, load_model
from keyhole.paths import data_folder
from keyhole.tracing import MAP_KINDS, CausalMap, subject_noise

PROMPT, SUBJECT = "The Eiffel Tower is located in the city of", "Eiffel Tower"
# The textbook loop costs the same for every cell: one in so many is run, and the time multiplied.
EVERY = 13
LONG = (
    "Many people who travel to France in summer, some of them for the first time, want to see the"
    " tower, and so they ask at the station where it is, how far one has to walk, and whether there"
    " is a train that goes to the city of"
)


def textbook(
    model: EditableModel,
    prompt: str,
    subject: str,
    noise: Tensor,
    cells: Sequence[tuple[int, int]],
    kind: str,
    window: int = 10,
) -> Tensor:
    """The values of some (position, layer) cells, one whole run each."""
    parts = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [stack.enter_context(record(parts(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    def corrupted(embeddings: Tensor) -> Tensor:
        return tracing.corrupt(embeddings[0], span, noise).to(embeddings)

    def put(output: Tensor, clean: Tensor, position: int) -> Tensor:
        changed = output.clone()
        changed[:, position] = clean[position]
        return changed

    values = []
    for position, layer in cells:
        first, stop = layer, layer + 1
        if kind != "state":
            first, stop = tracing.window_of(layer, window, model.n_layers)
        with ExitStack() as stack:
            stack.enter_context(edit(model.embedding, corrupted))
            for each in range(first, stop):
                restored = partial(put, clean=seen[each].output[0], position=position)
                stack.enter_context(edit(parts(each), restored))
            probabilities = model.next_token_probabilities([prompt] * len(noise))
        values.append(probabilities[:, answer].mean().item())
    return torch.tensor(values)


def whole_map(
    model: EditableModel, prompt: str, subject: str, noise: Tensor, kind: str
) -> CausalMap:
    """The map of all cells, with this noise."""
    sweep = tracing.Sweep(model, prompt, subject, noise)
    return tracing.causal_map(model, prompt, subject, kind, sweep=sweep)


def operations(model: EditableModel, prompt: str, subject: str, noise: Tensor, kind: str) -> int:
    """Floating-point operations of a whole map's matrix products.

    They are counted with one sample, since they grow in proportion.
    """
    with FlopCounterMode(display=False) as counter:
        whole_map(model, prompt, subject, noise[:1], kind)
    return counter.get_total_flops() * len(noise)


def rows() -> Iterator[Row]:
    model = load_model()
    noise = subject_noise(model, PROMPT, SUBJECT)
    model.next_token_probabilities([PROMPT] * len(noise))
    yield from beside_the_textbook(model, noise)
    yield from long_prompts(model)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    tokens = len(model.encode([PROMPT])[0])
    for layers in (8, 15, 30):
        asked = range(tokens), range(layers)
        _, seconds = timed(partial(tracing.trace, model, PROMPT, SUBJECT, noise, *asked))
        yield Row(f"map of states, {tokens} tokens, layers 0 to {layers - 1}", seconds)
    yield one_notebook(peak)


def beside_the_textbook(model: EditableModel, noise: Tensor) -> Iterator[Row]:
    """A whole map of every kind, and the same by the loop."""
    rate, tokens = matrix_rate(), len(model.encode([PROMPT])[0])
    cells = [(position, layer) for position in range(tokens) for layer in range(model.n_layers)]
    some = cells[::EVERY]
    for kind in MAP_KINDS:
        asked = model, PROMPT, SUBJECT, noise
        made, seconds = timed(partial(whole_map, *asked, kind))
        values, textbook_seconds = timed(partial(textbook, *asked, some, kind))
        difference = max(
            abs(float(made.values[cell]) - float(value)) for cell, value in zip(some, values)
        )
        speed = operations(*asked, kind) / seconds / 1e9
        yield Row(
            f"whole map, {kind}, {tokens} tokens x {model.n_layers} layers x {len(noise)} samples",
            seconds,
            textbook_seconds * len(cells) / len(some),
            "4.7 times" if kind == "state" else "4 times",
            (
                f"{speed * seconds / 1e3:.2f} TFLOP at {speed:.0f} GFLOP/s:"
                f" {100 * speed / rate:.0f} % of the matrix rate; largest difference"
                f" {difference:.0e}",
            ),
        )


def long_prompts(model: EditableModel) -> Iterator[Row]:
    """Whole maps of longer and longer prompts."""
    ids = model.encode([LONG])[0]
    for length in (8, 16, 24, 32, 40):
        prompt = model.tokenizer.decode(ids[:length])
        noise = subject_noise(model, prompt, "people")
        _, seconds = timed(partial(whole_map, model, prompt, "people", noise, "state"))
        yield Row(f"whole map of states, {length} tokens", seconds)


def one_notebook(peak: float) -> Row:
    """Grading 2_locate; `peak` is the memory in GB that the maps took at most."""
    grader = Grader(secret=TEST_SECRET)
    grader.model()
    folder = data_folder() / "sample_class" / "ada-complete" / ASSIGNMENT
    grade = partial(grade_submission, folder, "ada", grader, only="2_locate")
    grade()
    _, seconds = timed(grade)
    return Row(
        "grade 2_locate of one submission, after the first",
        seconds,
        target="at most 8 s",
        notes=(
            f"peak memory after the map of 40 tokens: {peak:.2f} GB, the model's 0.54 GB included",
        ),
    )
