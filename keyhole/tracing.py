"""What surrounds causal tracing: the noise, a map and how it is kept, a whole map by a student's own `trace`, averages over facts.

The tracing itself is what notebook 2 leaves blank, and stands nowhere here. (ROME, section 2)
"""

import copy
import json
import warnings
from dataclasses import asdict, dataclass, field, replace

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.paths import data_folder
from keyhole.text import one_line

KINDS = ("state", "mlp", "attention")
SAMPLES, SCALE, WINDOW = 10, 3.0, 10  # as in the paper
TOO_UNSURE = 0.1  # below this clean probability there is nothing to trace


def subject_noise(model, prompt, subject, samples=SAMPLES, scale=SCALE, seed=0, occurrence=-1):
    """Gaussian noise for the subject's token embeddings: (samples, number of subject tokens, d), of `scale` standard deviations
    of all token embeddings; seeded, so that it is the same every time. (ROME, section 2.1)"""
    span = model.subject_slice(prompt, subject, occurrence)
    drawn = torch.randn(
        samples,
        span.stop - span.start,
        model.embedding.weight.shape[1],
        generator=torch.Generator().manual_seed(seed),
    )
    return scale * model.embedding.weight.detach().std() * drawn.to(model.device)


def zero_noise(model, prompt, subject, occurrence=-1):
    """The other corruption: "noise" (1, number of subject tokens, d) after which the subject's embeddings are zero vectors."""
    ids = torch.tensor(model.encode([prompt])[0], device=model.device)
    return -model.embedding(ids[model.subject_slice(prompt, subject, occurrence)])[None].detach()


def check_request(model, prompt, subject, noise, occurrence=-1):
    """Whether noise and subject fit: the subject's slice; raises KeyholeError where they do not."""
    span, width = model.subject_slice(prompt, subject, occurrence), model.embedding.weight.shape[1]
    if noise.dim() != 3 or not len(noise):
        raise KeyholeError(problem("noise_shape", got=tuple(noise.shape)))
    if noise.shape[1:] != (span.stop - span.start, width):
        raise KeyholeError(
            problem(
                "noise_tokens",
                tokens=noise.shape[1],
                of_width=noise.shape[2],
                subject=subject,
                count=span.stop - span.start,
                width=width,
            )
        )
    return span


def check_cells(positions, layers, n_tokens, n_layers, kind, window):
    """Raises KeyholeError where there is no such token, layer, kind or window."""
    if kind not in KINDS:
        raise KeyholeError(problem("no_kind", kind=kind, known=", ".join(KINDS)))
    if window < 1:
        raise KeyholeError(problem("no_window", window=window))
    for name, otherwise, asked, end in (
        ("position", "no_position", positions, n_tokens),
        ("layer", "no_layer", layers, n_layers),
    ):
        wrong = [number for number in asked if not 0 <= number < end]
        if wrong:
            raise KeyholeError(problem(otherwise, **{name: wrong[0]}, last=end - 1))


# ---------------------------------------------------------------- maps


@dataclass(frozen=True)
class CausalMap:
    """One causal trace: for every token (row) and layer (column) the mean probability of the clean answer with that part restored."""

    prompt: str
    subject: str
    answer: str  # what the untouched model says, leading space included
    tokens: tuple  # the prompt's tokens, as text
    span: tuple  # (start, stop) of the subject's tokens
    clean: float  # probability of the answer, untouched
    corrupted: float  # ... and with the subject corrupted, nothing restored
    kind: str  # one of KINDS
    window: int  # how many layers are restored at once; 1 for states
    corruption: str  # "noise" or "zero"
    values: torch.Tensor = field(repr=False, compare=False)  # (T, L), NaN where not asked for
    relation: str = ""

    @property
    def effects(self):
        """The indirect effect of each cell: its value minus the corrupted probability, (T, L)."""
        return self.values - self.corrupted


def trace_map(
    model,
    prompt,
    subject,
    trace,
    noise=None,
    kind="state",
    window=WINDOW,
    positions=None,
    occurrence=-1,
    progress=iter,
):
    """A map by a student's own `trace`, a row (token) at a time so that progress shows: CausalMap.

    `positions` are the rows to make (all unless given; the others stay NaN); `occurrence` says which one is meant where the subject stands in
    the prompt more than once. Warns where the model is so unsure that there is nothing to trace; raises KeyholeError where the request
    makes no sense or `trace` gives something else than probabilities of the right shape.
    """
    if (
        occurrence != -1
    ):  # `trace` knows nothing of it: it is given a model that sees the subject where it is meant
        whole, model = model, copy.copy(model)
        model.subject_slice = lambda prompt, subject, _=None: whole.subject_slice(
            prompt, subject, occurrence
        )
    noise = subject_noise(model, prompt, subject, occurrence=occurrence) if noise is None else noise
    tokens = model.encode([prompt])[0]
    positions, layers = (
        list(range(len(tokens)) if positions is None else positions),
        list(range(model.n_layers)),
    )
    span = check_request(model, prompt, subject, noise, occurrence)
    check_cells(positions, layers, len(tokens), model.n_layers, kind, window)
    if len(tokens) < 2 or not positions:
        raise KeyholeError(problem("nothing_to_trace"))
    values = torch.full((len(tokens), len(layers)), torch.nan)
    for position in progress(positions):
        values[position] = _probabilities(
            trace(model, prompt, subject, noise, [position], layers, kind, window),
            len(layers),
            problem("of_token", position=position),
        )
    # After the last block a token that is not the last comes too late: with its state restored the run is simply the corrupted one.
    [corrupted] = _probabilities(
        trace(model, prompt, subject, noise, [0], layers[-1:], "state", window),
        1,
        problem("of_corrupted_run"),
    ).tolist()
    clean, answer = model.next_token_probabilities([prompt])[0].max(0)
    found = CausalMap(
        prompt,
        subject,
        model.tokenizer.decode([int(answer)]),
        tuple(model.tokenizer.decode([token]) for token in tokens),
        (span.start, span.stop),
        float(clean),
        corrupted,
        kind,
        1 if kind == "state" else window,
        "noise",
        values,
    )
    if clean < TOO_UNSURE:
        said = problem("unsure", answer=found.answer, clean=f"{found.clean:.2f}")
        warnings.warn(str(said), stacklevel=2)
    return found


def _probabilities(row, count, of):
    """What a student's `trace` gave for one position, (count,). Raises KeyholeError where it is something else."""
    row = torch.as_tensor(row).detach()
    if tuple(row.shape) != (1, count):
        raise KeyholeError(problem("trace_shape", got=tuple(row.shape), count=count))
    if not ((row >= 0) & (row <= 1.0001)).all():
        raise KeyholeError(problem("trace_numbers", of=of, count=int(row.isnan().sum())))
    return row[0].float()


# ---------------------------------------------------------------- the kit's stored maps


def load_maps(path=None):
    """The stored maps: a list of CausalMap, made by `autograder remake maps`. Raises KeyholeError where they are missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = path or data_folder() / "maps.json"
    try:
        numbers = load_file(path.with_suffix(".safetensors"))
        records = json.loads(path.read_text(encoding="utf-8"))
        return [
            CausalMap(
                **{**record, "tokens": tuple(record["tokens"]), "span": tuple(record["span"])},
                values=numbers[str(i)].float(),
            )
            for i, record in enumerate(records)
        ]
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise KeyholeError(
            problem("kit_unreadable", path=path, error=one_line(error, 120))
        ) from None


def save_maps(maps, path):
    """Keep maps in `path` (JSON) and, their values, in the safetensors file beside it."""
    from safetensors.torch import save_file

    numbers = path.with_suffix(".safetensors")
    save_file({str(i): found.values.float().contiguous() for i, found in enumerate(maps)}, numbers)
    numbers.chmod(0o644)  # safetensors writes files that nobody else may read
    records = [
        {
            name: value
            for name, value in asdict(replace(found, values=None)).items()
            if name != "values"
        }
        for found in maps
    ]
    path.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


# ---------------------------------------------------------------- averages over facts

ROLES = (
    "first subject token",
    "middle subject tokens",
    "last subject token",
    "first token after",
    "further tokens",
    "last token",
)


def role_rows(found):
    """{role: the rows of a map whose tokens play it}; a subject of one token is its own last, and a role may have no row."""
    start, stop = found.span
    last = len(found.tokens) - 1
    after = range(stop, last)
    return {
        "first subject token": [start] if stop - start > 1 else [],
        "middle subject tokens": list(range(start + 1, stop - 1)),
        "last subject token": [stop - 1],
        "first token after": list(after[:1]),
        "further tokens": list(after[1:]),
        "last token": [last],
    }


def average_effects(maps):
    """The mean indirect effect of each role over maps: {role: (mean (L,), standard error (L,), number of maps)}. (ROME, fig. 2)

    First over the tokens of one prompt that play the role, then over prompts. Maps whose subject is one token are left out: restoring
    that in layer 0 undoes the whole corruption. Raises KeyholeError where no map is left.
    """
    maps = [found for found in maps if found.span[1] - found.span[0] > 1]
    if not maps:
        raise KeyholeError(problem("no_average"))
    curves = {role: [] for role in ROLES}
    for found in maps:
        for role, rows in role_rows(found).items():
            if rows:
                curves[role].append(found.effects[rows].mean(0))
    averages = {}
    for role, each in curves.items():
        if each:
            each = torch.stack(each)
            spread = each.std(0) / len(each) ** 0.5 if len(each) > 1 else torch.zeros_like(each[0])
            averages[role] = (each.mean(0), spread, len(each))
    return averages
