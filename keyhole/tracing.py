"""What surrounds causal tracing: noise, maps, a whole map by a student's `trace`, averages.

The tracing itself is a blank of notebook 2, and is not in the library. (ROME, section 2)
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from keyhole.errors import KeyholeError
from keyhole.hooks import without_numpy
from keyhole.messages import Remark, problem
from keyhole.models import EditableModel
from keyhole.paths import data_folder
from keyhole.text import one_line

MAP_KINDS = ("state", "mlp", "attention")
SAMPLES, SCALE, WINDOW = 10, 3.0, 10  # as in the paper
TOO_UNSURE = 0.1  # below this clean probability there is nothing to trace


def subject_noise(
    model: EditableModel,
    prompt: str,
    subject: str,
    samples: int = SAMPLES,
    scale: float = SCALE,
    seed: int = 0,
) -> torch.Tensor:
    """Gaussian noise for the subject's token embeddings: (samples, subject tokens, d).

    Its size is `scale` standard deviations of all token embeddings. (The authors take the spread
    over the tokens of their subjects.) It is seeded, so that it is the same every time. (ROME,
    section 2.1)
    """
    covered = model.subject_slice(prompt, subject)
    drawn = torch.randn(
        samples,
        covered.stop - covered.start,
        model.embedding.weight.shape[1],
        generator=torch.Generator().manual_seed(seed),
    )
    # Some families multiply what they look up.
    size = model.embedding.weight.detach().std() * getattr(model.embedding, "embed_scale", 1)
    return scale * size * drawn.to(model.device)


def zero_noise(model: EditableModel, prompt: str, subject: str) -> torch.Tensor:
    """The other corruption: "noise" with which the subject's embeddings become zero vectors.

    Returns (1, subject tokens, d).
    """
    ids = torch.tensor(model.encode([prompt])[0], device=model.device)
    return -model.embedding(ids[model.subject_slice(prompt, subject)])[None].detach()


def check_request(model: EditableModel, prompt: str, subject: str, noise: torch.Tensor) -> slice:
    """The subject's tokens. Raises KeyholeError where the noise does not fit them."""
    span, width = model.subject_slice(prompt, subject), model.embedding.weight.shape[1]
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


def check_cells(
    positions: Iterable[int],
    layers: Iterable[int],
    n_tokens: int,
    n_layers: int,
    kind: str,
    window: int,
) -> None:
    """Raises KeyholeError where there is no such token, layer, kind or window."""
    if kind not in MAP_KINDS:
        raise KeyholeError(problem("no_kind", kind=kind, known=", ".join(MAP_KINDS)))
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
    """One causal trace: of every token (row) and layer (column), what restoring that part does."""

    prompt: str
    subject: str
    answer: str  # what the untouched model says, leading space included
    tokens: tuple[str, ...]  # of the prompt
    span: tuple[int, int]  # (start, stop) of the subject's tokens
    clean: float  # probability of the answer, untouched
    corrupted: float  # ... and with the subject corrupted, nothing restored
    kind: str  # one of MAP_KINDS
    window: int  # how many layers are restored at once; 1 for states
    corruption: str  # "noise" or "zero"
    # (T, L): the mean probability of the answer with that part restored, NaN where not asked for.
    values: torch.Tensor = field(repr=False, compare=False)
    relation: str = ""

    @property
    def effects(self) -> torch.Tensor:
        """The indirect effect of each cell: its value minus the corrupted probability, (T, L)."""
        return self.values - self.corrupted


@dataclass(frozen=True)
class TraceSettings:
    """What a map is made of, apart from the prompt."""

    # (n, subject tokens, d), on any device; that of subject_noise unless given
    noise: torch.Tensor | None = None
    kind: str = "state"  # one of MAP_KINDS
    window: int = WINDOW  # layers restored at once, of "mlp" or "attention"
    positions: Sequence[int] | None = None  # the rows to make; all unless given


def trace_map(
    model: EditableModel,
    prompt: str,
    subject: str,
    trace: Callable[..., torch.Tensor],
    settings: TraceSettings = TraceSettings(),
    progress: Callable = iter,
) -> CausalMap:
    """A map by a student's own `trace`, one row (token) at a time so that progress shows.

    `progress` wraps the list of rows, as tqdm does. Rows that are not asked for stay NaN. Where
    another occurrence of the subject is meant, give `model.meaning(occurrence)`. Raises
    KeyholeError where the request makes no sense, or `trace` gives anything but probabilities of
    the right shape.
    """
    tokens, layers = model.encode([prompt])[0], list(range(model.n_layers))
    noise, kind, window = settings.noise, settings.kind, settings.window
    noise = subject_noise(model, prompt, subject) if noise is None else noise.to(model.device)
    positions = range(len(tokens)) if settings.positions is None else settings.positions
    span = check_request(model, prompt, subject, noise)
    check_cells(positions, layers, len(tokens), model.n_layers, kind, window)
    if len(tokens) < 2 or not positions:
        raise KeyholeError(problem("nothing_to_trace"))

    def row(position, layers, kind, of):
        values = trace(model, prompt, subject, noise, [position], layers, kind, window)
        return _probabilities(values, len(layers), of)

    values = torch.full((len(tokens), len(layers)), torch.nan)
    for position in progress(list(positions)):
        values[position] = row(position, layers, kind, problem("of_token", position=position))
    corrupted = _nothing_restored(row, layers[-1])
    clean, answer = model.next_token_probabilities([prompt])[0].max(0)
    return CausalMap(
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


def unsure(made: CausalMap) -> Remark | None:
    """What to say of a map where the model is so unsure that there is nothing to trace."""
    if made.clean >= TOO_UNSURE:
        return None
    return problem("unsure", answer=made.answer, clean=f"{made.clean:.2f}")


def _nothing_restored(row, last_layer):
    """The corrupted probability, which `trace` gives for a cell that the answer does not depend on.

    The answer is read from the last token, and after the last block no token reads another. So
    restoring the first token's state there restores nothing. (The corruption itself is a blank of
    notebook 2: the library does not hold it, and cannot run the model corrupted without `trace`.)
    """
    [probability] = row(0, [last_layer], "state", problem("of_corrupted_run")).tolist()
    return probability


def _probabilities(row, count, of):
    """What a student's `trace` gave for one position, (count,). Raises KeyholeError otherwise."""
    row = torch.as_tensor(without_numpy(row)).detach().cpu()
    if tuple(row.shape) != (1, count):
        raise KeyholeError(problem("trace_shape", got=tuple(row.shape), count=count))
    if not ((row >= 0) & (row <= 1.0001)).all():
        raise KeyholeError(problem("trace_numbers", of=of, count=int(row.isnan().sum())))
    return row[0].float()


# ---------------------------------------------------------------- the kit's stored maps


def load_maps(path: Path | None = None) -> list[CausalMap]:
    """The stored maps, which `autograder remake maps` makes.

    Raises KeyholeError where they are missing or damaged.
    """
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


def save_maps(maps: Sequence[CausalMap], path: Path) -> None:
    """Keep maps in `path` (JSON), and their values in the safetensors file beside it."""
    numbers = path.with_suffix(".safetensors")
    save_file({str(i): each.values.float().contiguous() for i, each in enumerate(maps)}, numbers)
    numbers.chmod(0o644)  # safetensors writes files that nobody else may read
    records = [
        {
            name: value
            for name, value in asdict(replace(each, values=None)).items()
            if name != "values"
        }
        for each in maps
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


def role_rows(causal_map: CausalMap) -> dict[str, list[int]]:
    """The rows of a map by the roles of their tokens.

    A subject of one token is its own last, and a role may have no row.
    """
    start, stop = causal_map.span
    last = len(causal_map.tokens) - 1
    after = range(stop, last)
    return {
        "first subject token": [start] if stop - start > 1 else [],
        "middle subject tokens": list(range(start + 1, stop - 1)),
        "last subject token": [stop - 1],
        "first token after": list(after[:1]),
        "further tokens": list(after[1:]),
        "last token": [last],
    }


def average_effects(maps: Iterable[CausalMap]) -> dict[str, tuple[torch.Tensor, torch.Tensor, int]]:
    """The mean indirect effect of each role: {role: (mean (L,), standard error (L,), maps)}.

    First over the tokens of one prompt that play the role, then over prompts. Maps whose subject
    is one token are left out: restoring that token in layer 0 undoes the whole corruption. Raises
    KeyholeError where no map is left. (ROME, fig. 2)
    """
    maps = [each for each in maps if each.span[1] - each.span[0] > 1]
    if not maps:
        raise KeyholeError(problem("no_average"))
    curves = {role: [] for role in ROLES}
    for each in maps:
        for role, rows in role_rows(each).items():
            if rows:
                curves[role].append(each.effects[rows].mean(0))
    averages = {}
    for role, of_maps in curves.items():
        if of_maps:
            stacked, count = torch.stack(of_maps), len(of_maps)
            error = stacked.std(0) / count**0.5 if count > 1 else torch.zeros_like(stacked[0])
            averages[role] = (stacked.mean(0), error, count)
    return averages
