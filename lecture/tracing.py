"""The first tab: where is the fact? Causal maps row by row, and what one cell makes happen."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from autograder.oracle.tracing import Sweep, TracedRow
from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.messages import problem
from keyhole.tracing import (
    MAP_KINDS,
    SAMPLES,
    SCALE,
    TOO_UNSURE,
    WINDOW,
    CausalMap,
    average_effects,
    check_cells,
    load_maps,
    subject_noise,
    zero_noise,
)
from lecture.asking import FIRST, Located, Said, check_choice, check_number, find, locate, top
from lecture.messages import sentence
from lecture.watching import Told, Watch, ignore, never
from lecture.weights import Weights

CORRUPTIONS = ("noise", "zero")
MOST_SAMPLES, MOST_SCALE, MOST_WINDOW = 30, 20.0, 60
TOP = 5


@dataclass(frozen=True)
class TraceRequest:
    """What to trace, and how."""

    prompt: str
    subject: str
    kind: str = "state"
    window: int = WINDOW  # layers restored at once, of "mlp" or "attention"
    corruption: str = "noise"  # or "zero": then samples, scale and seed play no part
    samples: int = SAMPLES
    scale: float = SCALE  # in standard deviations of all token embeddings
    seed: int = 0
    occurrence: int = -1  # of the subject in the prompt, as a list index

    @property
    def runs(self) -> "TraceRequest":
        """What the clean and the corrupted run depend on."""
        return replace(self, kind="state", window=WINDOW)


@dataclass(frozen=True)
class TracePreset:
    """A prompt whose maps the kit carries."""

    prompt: str
    subject: str
    answer: str
    relation: str
    maps: dict[tuple[str, str], CausalMap]  # by kind and corruption


def presets_of(maps: Iterable[CausalMap]) -> tuple[TracePreset, ...]:
    """The maps of each prompt together; no model is needed for that."""
    found: dict[tuple[str, str], TracePreset] = {}
    for each in maps:
        preset = found.setdefault(
            (each.prompt, each.subject),
            TracePreset(each.prompt, each.subject, each.answer, each.relation, {}),
        )
        preset.maps[each.kind, each.corruption] = each
    return tuple(found.values())


class Trace:
    """One map while it is being made. Every call raises KeyholeError once the model was changed."""

    def __init__(self, weights: Weights, request: TraceRequest, located: Located, sweep: Sweep):
        self._weights, self._state, self._sweep = weights, weights.state, sweep
        self._rows: dict[int, TracedRow] = {}
        self.request, self.located = request, located
        model = weights.model
        self.answer = model.tokenizer.decode([sweep.answer])
        self.clean, self.corrupted = sweep.clean_probability, sweep.corrupted_probability
        self.clean_top, self.corrupted_top = (
            top(model, sweep.distribution(run.states[-1][:, -1]), TOP)
            for run in (sweep.clean, sweep.corrupted)
        )

    def fill(
        self, *, progress: Told = ignore, cancelled: Callable[[], bool] = never
    ) -> Iterator[int]:
        """Make the map row by row: yields each position as soon as its row is there.

        The quick rows come first: those before the subject, then from the last token backwards.
        Rows that are there already are not made again, so a trace that was stopped goes on.
        """
        watch, count = Watch(progress, cancelled), len(self.located.tokens)
        start = self.located.span[0]
        for done, position in enumerate([*range(start), *reversed(range(start, count))]):
            with self._weights.lock, watch.over(self._weights.model):
                watch.tell("row", done, count)
                self._check()
                if position not in self._rows:
                    self._rows[position] = self._row(position, range(self._weights.model.n_layers))
            yield position
        watch.tell("row", count, count)

    def map(self) -> CausalMap:
        """The map as far as it is there; the other rows are NaN."""
        layers = self._weights.model.n_layers
        values = torch.full((len(self.located.tokens), layers), torch.nan)
        for position, row in self._rows.items():
            values[position] = torch.tensor([row.values[layer] for layer in range(layers)])
        request = self.request
        return CausalMap(
            self.located.prompt,
            self.located.subject,
            self.answer,
            self.located.tokens,
            self.located.span,
            self.clean,
            self.corrupted,
            request.kind,
            1 if request.kind == "state" else request.window,
            request.corruption,
            values,
        )

    def top(self, position: int, layer: int, count: int = TOP) -> tuple[Said, ...]:
        """What the model says with that cell restored, a mean over the samples."""
        model = self._weights.model
        check_cells(
            [position], [layer], len(self.located.tokens), model.n_layers, self.request.kind, 1
        )
        with self._weights.lock:
            self._check()
            row = self._rows.get(position) or self._row(position, [layer])
            return top(model, self._sweep.distribution(row.states[layer]), count)

    def _row(self, position, layers):
        return self._sweep.row(position, layers, self.request.kind, self.request.window)

    def _check(self):
        if self._weights.state != self._state:
            raise KeyholeError(sentence("model_changed"))


class Tracer:
    """Traces prompts in the model as it is. It keeps the maps of the last prompt."""

    def __init__(self, weights: Weights):
        self._weights = weights
        self._stored: list[CausalMap] | None = None
        self._kept: tuple[object, Sweep] | None = None  # what the last runs were of
        self._traces: dict[TraceRequest, Trace] = {}

    def presets(self) -> tuple[TracePreset, ...]:
        """The prompts whose maps the kit carries. Raises KeyholeError where they are damaged."""
        return presets_of(self._maps())

    def stored(self, request: TraceRequest) -> CausalMap | None:
        """The kit's own map of this very request, of the model as it was loaded; else None."""
        usual = TraceRequest(
            request.prompt, request.subject, request.kind, corruption=request.corruption
        )
        if request != usual or self._weights.state:
            return None
        for preset in self.presets():
            if (preset.prompt, preset.subject) == (request.prompt, request.subject):
                return preset.maps.get((request.kind, request.corruption))
        return None

    def averages(
        self, kind: str = "state", corruption: str = "noise"
    ) -> dict[str, tuple[Tensor, Tensor, int]]:
        """The mean effect of each role over the kit's maps: keyhole.tracing.average_effects."""
        return average_effects(
            each for each in self._maps() if (each.kind, each.corruption) == (kind, corruption)
        )

    def _maps(self):
        if self._stored is None:
            self._stored = load_maps()
        return self._stored

    def locate(self, prompt: str, subject: str, occurrence: int = -1) -> Located:
        """Find the subject in the prompt, and ask the model: see lecture.asking.locate."""
        with self._weights.lock:
            return _unsure(locate(self._weights.model, prompt, subject, occurrence))

    def begin(self, request: TraceRequest, *, cancelled: Callable[[], bool] = never) -> Trace:
        """The clean and the corrupted run, from which the map is made.

        A map of the last prompt that is there in part goes on where it was. Raises KeyholeError
        for a request that makes no sense.
        """
        weights, model = self._weights, self._weights.model
        _check(request)
        watch = Watch(cancelled=cancelled)
        with weights.lock, watch.over(model):
            located = find(model, request.prompt, request.subject, request.occurrence)
            if len(located.tokens) < 2:
                raise KeyholeError(problem("nothing_to_trace"))
            request = replace(request, prompt=located.prompt, subject=located.subject)
            key = weights.state, request.runs
            if self._kept is None or self._kept[0] != key:
                self._kept, self._traces = None, {}  # let go first: two would be twice the memory
                self._kept = key, _runs(model.meaning(request.occurrence), request)
            if request not in self._traces:
                sweep = self._kept[1]
                # The clean run is there: asking the model again would keep the audience waiting.
                clean = sweep.distribution(sweep.clean.states[-1][:, -1])
                located = _unsure(replace(located, first=top(model, clean, FIRST)))
                self._traces[request] = Trace(weights, request, located, sweep)
            return self._traces[request]


def _unsure(found):
    """The prompt, with the remark that it is traced although the model does not know it."""
    answer, clean = found.first[0]
    if clean >= TOO_UNSURE:
        return found
    unsure = sentence("traced_anyway", answer=answer, clean=f"{clean:.2f}")
    return replace(found, remarks=(*found.remarks, unsure))


def _check(request: TraceRequest) -> None:
    check_choice(request.kind, MAP_KINDS)
    check_choice(request.corruption, CORRUPTIONS)
    check_number("samples", request.samples, 1, MOST_SAMPLES)
    check_number("scale", request.scale, 0, MOST_SCALE)
    check_number("window", request.window, 1, MOST_WINDOW)


def _runs(model: EditableModel, request: TraceRequest) -> Sweep:
    about = model, request.prompt, request.subject
    if request.corruption == "zero":
        return Sweep(*about, zero_noise(*about))
    return Sweep(*about, subject_noise(*about, request.samples, request.scale, request.seed))
